import type { Clock } from './clock.ts';
import { writeWhole } from './whole-file.ts';

export type NewestFileNeeds = {
  readonly file: string;
  readonly clock: Pick<Clock, 'after'>;
  /** Between the end of one writing and the beginning of the next, milliseconds; 0 = the next begins at once. */
  readonly everyMs: number;
  readonly onFault: (error: unknown) => void;
};

/**
 * A file, for this user alone, that holds the newest of what changes often: written behind whoever changes it, whole or not at all, and
 * what is outdated before it could be written never is.
 */
export class NewestFile {
  readonly #needs: NewestFileNeeds;
  #next: (() => string) | undefined;
  #writing: Promise<void> | undefined;
  #pause: (() => void) | undefined;

  constructor(needs: NewestFileNeeds) {
    this.#needs = needs;
  }

  /** `text` is asked when it is written. */
  save(text: () => string): void {
    this.#next = text;
    if (this.#writing === undefined && this.#pause === undefined) this.#begin();
  }

  /** Resolves when what was given to `save` is written, which is at once. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined || this.#next !== undefined) {
      await this.#writing;
      if (this.#next === undefined) continue;
      this.#pause?.();
      this.#pause = undefined;
      this.#begin();
    }
  }

  #begin(): void {
    const text = this.#next;
    if (text === undefined) return;
    const { clock, everyMs } = this.#needs;
    this.#next = undefined;
    this.#writing = this.#write(text()).then(() => {
      this.#writing = undefined;
      if (everyMs === 0) return this.#begin();
      this.#pause = clock.after(everyMs, () => {
        this.#pause = undefined;
        this.#begin();
      });
    });
  }

  async #write(text: string): Promise<void> {
    const { file, onFault } = this.#needs;
    try {
      await writeWhole(file, text);
    } catch (error) {
      onFault(error);
    }
  }
}
