import { rename, writeFile } from 'node:fs/promises';

/** Replaces a file, which is for this user alone, as a whole or not at all. It is not flushed to the device. */
export const writeWhole = async (path: string, text: string): Promise<void> => {
  const fresh = `${path}.new`;
  await writeFile(fresh, text, { mode: 0o600 });
  await rename(fresh, path);
};

/** A file that is kept like what is in memory, by one writer. */
export class WholeFile {
  readonly #path: string;
  readonly #text: () => string;
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  /** `text`: what is to be in it, asked when it is written. */
  constructor(path: string, text: () => string) {
    this.#path = path;
    this.#text = text;
  }

  /** Resolves once all that is so now is in the file. Changes made while a write runs share the next one. */
  save(): Promise<void> {
    this.#queued ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#queued = undefined;
        this.#writing = writeWhole(this.#path, this.#text());
        return this.#writing;
      });
    return this.#queued;
  }

  /** Resolves once nothing is left to write, or could not be. */
  async written(): Promise<void> {
    await (this.#queued ?? this.#writing).catch(() => {});
  }
}
