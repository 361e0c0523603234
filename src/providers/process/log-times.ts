import { appendFile, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { OneAtATime } from '../../std/one-at-a-time.ts';

/**
 * When what a program wrote came to its log: lines `BYTES MS` beside the log of a program that writes there itself, each of
 * which says that the log had that length at that time.
 */
export type TimeMark = { readonly bytes: number; readonly atMs: number };

export const timesFile = (log: string): string => `${log}.times`;

/** So that no log is cut between a look at it and what is done by that. */
export const turns = new OneAtATime();

/**
 * Notes that the log has so many bytes now. Called now and again while the program runs, it tells the time of each line to
 * within that. A length that the log has no more is that of the log before it, and is not noted.
 */
export const markTimes = (log: string, bytes: number, nowMs: number): Promise<void> =>
  turns.run(async () => {
    const { size } = await stat(log).catch(() => ({ size: 0 }));
    if (bytes <= size) await append(log, { bytes, atMs: nowMs });
  });

/**
 * For those that read the log as far as it came: the marks of a log that has so many bytes, that length among them, so that
 * a line keeps the time with which it was read first. Undefined when the lines of the log tell their times themselves. Called
 * in a turn.
 */
export const noteTimes = async (
  log: string,
  { size, mtimeMs }: { readonly size: number; readonly mtimeMs: number },
): Promise<readonly TimeMark[] | undefined> => {
  const marks = await readTimes(log);
  const last = marks?.at(-1);
  if (marks === undefined || (last !== undefined && size <= last.bytes)) return marks;
  const mark = { bytes: size, atMs: Math.max(Math.floor(mtimeMs), last?.atMs ?? 0) };
  await append(log, mark);
  return [...marks, mark];
};

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
 * Makes ready to give the marks of a log to `to`, where the log goes without its first `cutBytes`; what it resolves with does
 * it. Without marks there is nothing to do.
 */
export const prepareTimes = async (
  log: string,
  to: string,
  cutBytes: number,
  nowMs: number,
): Promise<() => Promise<void>> => {
  const marks = await readTimes(log);
  if (marks === undefined) return () => Promise.resolve();
  const kept = marks.filter(({ bytes }) => bytes > cutBytes);
  const [moved, fresh] = [`${timesFile(to)}.new`, `${timesFile(log)}.new`];
  await writeFile(moved, kept.map(({ bytes, atMs }) => `${bytes - cutBytes} ${atMs}\n`).join(''), { mode: 0o600 });
  await writeFile(fresh, `0 ${nowMs}\n`, { mode: 0o600 });
  return async () => {
    await rename(fresh, timesFile(log));
    await rename(moved, timesFile(to));
  };
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
