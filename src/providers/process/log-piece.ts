import { open, stat } from 'node:fs/promises';
import { keptOf, sizeOf } from './log-cut.ts';
import { noteTimes, readTimes, timeAt, turns, type TimeMark } from './log-times.ts';
import { earlierLog } from './replica-logs.ts';

const pieceBytes = 64 * 1024;

/** Some bytes of a log. Places in it are counted over all that was ever written there, also what is gone by now. */
export type LogPiece = {
  /** Where it begins. */
  readonly at: number;
  /** It begins with the end of a line. */
  readonly isTorn: boolean;
  readonly bytes: Buffer;
  /** Where the log ends now. */
  readonly end: number;
  /** When the file that it is in was written last. */
  readonly writtenMs: number;
  /** When what begins at a place was noticed; undefined where lines tell themselves. */
  readonly noticed: ((place: number) => number) | undefined;
};

/**
 * What a log has at `from`, or where that is gone, the first that it has after it. Undefined at
 * its end. No log is cut meanwhile.
 */
export const nextPiece = (log: string, from: number): Promise<LogPiece | undefined> =>
  turns.run(async () => {
    const kept = await keptOf(log);
    const found = await stat(log).catch(() => undefined);
    if (found === undefined) return undefined;
    const end = kept.log + found.size;
    const earlierEnd = kept.earlier + (await sizeOf(earlierLog(log)));
    const isEarlier = from < earlierEnd;
    const path = isEarlier ? earlierLog(log) : log;
    const start = isEarlier ? kept.earlier : kept.log;
    const at = Math.max(from, start);
    if (at >= end) return undefined;
    const file = await read(path, at - start, Math.min(pieceBytes, end - at)).catch(() => undefined);
    if (file === undefined || file.bytes.length === 0) return undefined;
    // A log that was moved away grows no more.
    const marks = isEarlier ? await readTimes(path) : await noteTimes(log, found);
    const writtenMs = Math.floor(file.mtimeMs);
    const isTorn = kept.isTorn && !isEarlier && at === start;
    return { at, isTorn, bytes: file.bytes, end, writtenMs, noticed: marks && noticed(marks, start, writtenMs) };
  });

const noticed =
  (marks: readonly TimeMark[], start: number, writtenMs: number) =>
  (place: number): number =>
    timeAt(marks, place - start, writtenMs);

const read = async (
  path: string,
  from: number,
  length: number,
): Promise<{ readonly bytes: Buffer; readonly mtimeMs: number }> => {
  const file = await open(path, 'r');
  try {
    const { mtimeMs } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return { bytes: buffer.subarray(0, bytesRead), mtimeMs };
  } finally {
    await file.close();
  }
};
