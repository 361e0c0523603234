import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Calls `onLine` with each line of `input`. Errors of `input` are left to whoever listens to it. */
export const readLines = (input: Readable, onLine: (line: string) => void): void => {
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  // The interface repeats its input's errors and would throw them where nobody listens.
  lines.on('error', () => undefined);
  lines.on('line', onLine);
};
