import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';

/**
 * When what a program wrote came to its log: lines `BYTES MS` beside the log of a program that writes there itself, each of
 * which says that the log had that length at that time.
 */
export type TimeMark = { readonly bytes: number; readonly atMs: number };

export const timesFile = (log: string): string => `${log}.times`;

/** Notes that the log has so many bytes now. Called now and again while the program runs, it tells the time of each line to within that. */
export const markTimes = async (log: string, bytes: number, nowMs: number): Promise<void> =>
  appendFile(timesFile(log), `${bytes} ${nowMs}\n`, { mode: 0o600 });

/** Undefined when the lines of the log tell their times themselves. */
export const readTimes = async (log: string): Promise<readonly TimeMark[] | undefined> => {
  const text = await readFile(timesFile(log), 'utf8').catch(() => undefined);
  return text
    ?.split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [bytes, atMs] = line.split(' ');
      return { bytes: Number(bytes), atMs: Number(atMs) };
    });
};

/** The log's first `cutBytes` went and the rest moved to `to`; what comes now begins at 0. Nothing to do for logs without marks. */
export const moveTimes = async (log: string, to: string, cutBytes: number, nowMs: number): Promise<void> => {
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
