import { copyFile, open, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { prepareTimes, turns } from './log-times.ts';
import { earlierLog, startFile } from './replica-logs.ts';

/** A log that grew past this moves to `ID.log.1` and begins anew: a replica's log stays near 1 MiB. */
const fullBytes = 512 * 1024;
/** Of a line that is kept in part, so much at most is left out. */
const maxPart = 64 * 1024;

/** Where what is kept of a log lies among all that was ever written there. To be read in a turn. */
export type Kept = {
  /** Where what came before the log begins. */
  readonly earlier: number;
  /** Where the log begins. */
  readonly log: number;
  /** The log begins with the end of a line. */
  readonly isTorn: boolean;
};

export const keptOf = async (log: string): Promise<Kept> => {
  const text = await readFile(startFile(log), 'utf8').catch(() => undefined);
  if (text === undefined) return { earlier: 0, log: await sizeOf(earlierLog(log)), isTorn: false };
  const [earlier = 0, start = 0, torn = 0] = text.split(' ').map((part) => Number(part) || 0);
  return { earlier, log: start, isTorn: torn === 1 };
};

/**
 * Moves a log that is full away, or its end where it ran far ahead; only whole lines are kept. The writer's file stays open all
 * the time: what it writes in the moment between the last look and the truncation is lost. So nobody knows whether a line that was
 * under way went on where the log does, and it is left out.
 */
export const boundLog = (log: string, nowMs: number): Promise<void> =>
  turns.run(async () => {
    const size = await sizeOf(log);
    if (size <= fullBytes) return;
    const copy = `${earlierLog(log)}.new`;
    const kept = await keptOf(log);
    const from = await copyEnd(log, copy, size > 2 * fullBytes ? size - fullBytes : 0, kept.isTorn);
    const moveTimes = await prepareTimes(log, earlierLog(log), from, nowMs);
    const end = await appendRest(log, copy, from);
    await truncate(log, 0);
    const isTorn = await endLine(copy);
    const start = `${startFile(log)}.new`;
    // Of one that is torn nobody has read to where it begins.
    const places = [kept.log + from, kept.log + end + Number(isTorn), Number(isTorn)];
    await writeFile(start, places.join(' '), { mode: 0o600 });
    await rename(copy, earlierLog(log));
    await rename(start, startFile(log));
    await moveTimes();
  });

/** Copies a log, from the next line on where it begins in the midst of one. Returns where in the log the copy begins. */
const copyEnd = async (log: string, copy: string, from: number, isTorn: boolean): Promise<number> => {
  if (from === 0 && !isTorn) {
    await copyFile(log, copy);
    return 0;
  }
  const file = await open(log, 'r');
  try {
    const end = Buffer.alloc(2 * fullBytes);
    const { bytesRead } = await file.read(end, 0, end.length, from);
    const skipped = end.subarray(0, Math.min(bytesRead, maxPart)).indexOf(10) + 1;
    await writeFile(copy, end.subarray(skipped, bytesRead), { mode: 0o600 });
    return from + skipped;
  } finally {
    await file.close();
  }
};

/** What was written since a log was copied from `from` on, within reason. Returns where in the log the copy ends. */
const appendRest = async (log: string, copy: string, from: number): Promise<number> => {
  const source = await open(log, 'r');
  const target = await open(copy, 'a');
  try {
    const chunk = Buffer.alloc(64 * 1024);
    let at = from + (await target.stat()).size;
    for (const most = at + fullBytes; at < most;) {
      const { bytesRead } = await source.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      await target.write(chunk.subarray(0, bytesRead));
      at += bytesRead;
    }
    return at;
  } finally {
    await source.close();
    await target.close();
  }
};

/** Leaves out a last line without an end, or ends a very long one. Returns whether there was one. */
const endLine = async (path: string): Promise<boolean> => {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, maxPart);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const part = length - 1 - buffer.lastIndexOf(10);
    if (part === 0) return false;
    if (part < length) await file.truncate(size - part);
    else await file.write('\n', size);
    return true;
  } finally {
    await file.close();
  }
};

export const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
