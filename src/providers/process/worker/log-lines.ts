import { writeSync } from 'node:fs';

export type LogLineOptions = {
  /** Between the time and the line; default none. */
  readonly prefix?: string;
  /** A line longer than this is cut in two; default 16 Ki characters. */
  readonly maxLineLength?: number;
};

/** Makes lines out of what a program writes and puts the time before each. */
export class LogLines {
  readonly #fd: number;
  readonly #prefix: string;
  readonly #maxLineLength: number;
  #rest = '';

  constructor(fd: number, { prefix = '', maxLineLength = 16 * 1024 }: LogLineOptions = {}) {
    this.#fd = fd;
    this.#prefix = prefix;
    this.#maxLineLength = maxLineLength;
  }

  write(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > this.#maxLineLength) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    if (lines.length > 0) this.#put(lines);
  }

  flush(): void {
    if (this.#rest !== '') this.#put([this.#rest]);
    this.#rest = '';
  }

  #put(lines: readonly string[]): void {
    const time = new Date().toISOString();
    try {
      writeSync(this.#fd, lines.map((line) => `${time} ${this.#prefix}${line}\n`).join(''));
    } catch {
      // A full disk must not break the function.
    }
  }
}

/** From here on, every line written to stdout and stderr begins with its time (ISO 8601) and a space. */
export const deliverLogs = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    const lines = new LogLines(stream.fd);
    stream.write = (chunk: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean => {
      const asked = typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8';
      lines.write(
        typeof chunk === 'string' && asked === 'utf8' ? chunk : Buffer.from(chunk as string, asked).toString(),
      );
      const done = typeof encoding === 'function' ? encoding : callback;
      if (typeof done === 'function') process.nextTick(done);
      return true;
    };
    process.on('exit', () => lines.flush());
  }
};
