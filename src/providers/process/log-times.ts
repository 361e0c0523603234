import { appendFile, readFile, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { OneAtATime } from '../../std/one-at-a-time.ts';

/**
 * When what a program wrote came to its log: lines `BYTES MS` beside the log of a program that writes there itself, each of
 * which says that the log had that length at that time.
 */
export type TimeMark = { readonly bytes: number; readonly atMs: number };

export const timesFile = (log: string): string => `${log}.times`;

/** So that no log is cut between the look at its length and the note of it. */
const turns = new OneAtATime();

/**
 * Notes that the log has so many bytes now. Called now and again while the program runs, it tells the time of each line to
 * within that. A length that the log has no more is that of the log before it, and is not noted.
 */
export const markTimes = (log: string, bytes: number, nowMs: number): Promise<void> =>
  turns.run(async () => {
    const { size } = await stat(log).catch(() => ({ size: 0 }));
    if (bytes <= size) await append(log, { bytes, atMs: nowMs });
  });

/** What was noted of a log, up to its length at this moment. */
export type Noted = { readonly bytes: number; readonly marks: readonly TimeMark[] };

/**
 * For those that read the log as far as it came: notes that length too, so that a line keeps the time with which it was
 * read first. Undefined when the lines of the log tell their times themselves, or there is none.
 */
export const noteTimes = (log: string): Promise<Noted | undefined> =>
  turns.run(async () => {
    const marks = await readTimes(log);
    const found = await stat(log).catch(() => undefined);
    if (marks === undefined || found === undefined) return undefined;
    const last = marks.at(-1);
    if (last !== undefined && found.size <= last.bytes) return { bytes: found.size, marks };
    const mark = { bytes: found.size, atMs: Math.max(Math.floor(found.mtimeMs), last?.atMs ?? 0) };
    await append(log, mark);
    return { bytes: found.size, marks: [...marks, mark] };
  });

const append = (log: string, { bytes, atMs }: TimeMark): Promise<void> =>
  appendFile(timesFile(log), `${bytes} ${atMs}\n`, { mode: 0o600 });

/** In order. Undefined when the lines of the log tell their times themselves. */
export const readTimes = async (log: string): Promise<readonly TimeMark[] | undefined> => {
  const text = await readFile(timesFile(log), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const marks: TimeMark[] = [];
  for (const line of text.split('\n')) {
    const [bytes, atMs] = line.split(' ').map(Number);
    // What was noted once stays: a later mark of the same length, or less, tells nothing.
    if (bytes === undefined || atMs === undefined || bytes <= (marks.at(-1)?.bytes ?? -1)) continue;
    marks.push({ bytes, atMs });
  }
  return marks;
};

/**
 * Empties a log whose first `cutBytes` went, and the rest of which was copied for `to`. Without marks there is nothing to
 * do but that.
 */
export const cutLog = (log: string, to: string, cutBytes: number, nowMs: number): Promise<void> =>
  turns.run(async () => {
    await moveTimes(log, to, cutBytes, nowMs);
    await truncate(log, 0);
  });

const moveTimes = async (log: string, to: string, cutBytes: number, nowMs: number): Promise<void> => {
  const marks = await readTimes(log);
  if (marks === undefined) return;
  const kept = marks.filter(({ bytes }) => bytes > cutBytes);
  await writeFile(timesFile(to), kept.map(({ bytes, atMs }) => `${bytes - cutBytes} ${atMs}\n`).join(''), {
    mode: 0o600,
  });
  const fresh = `${timesFile(log)}.new`;
  await writeFile(fresh, `0 ${nowMs}\n`, { mode: 0o600 });
  await rename(fresh, timesFile(log));
};

/** The time of what begins at `byte`: of the first mark past it, else `elseMs`. */
export const timeAt = (marks: readonly TimeMark[], byte: number, elseMs: number): number => {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle] as TimeMark).bytes > byte) high = middle;
    else low = middle + 1;
  }
  return marks[low]?.atMs ?? elseMs;
};
