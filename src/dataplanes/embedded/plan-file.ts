import { readFile, rename, writeFile } from 'node:fs/promises';
import { messageOf } from '../../domain/errors.ts';
import type { Plan } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import type { Log } from '../../telemetry/log.ts';

export type PlanFileNeeds = {
  readonly file: string;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Pick<Log, 'error'>;
};

/** Writing a large plan takes this process milliseconds in which no call goes on, and weights change four times a second. */
const everyMs = 1_000;

/**
 * The plan on disk, for a process that begins while no agent is there: the newest, written behind whoever changes it and at
 * most once a second.
 */
export class PlanFile {
  readonly #needs: PlanFileNeeds;
  #next: (() => Plan) | undefined;
  #writing: Promise<void> | undefined;
  #pause: (() => void) | undefined;

  constructor(needs: PlanFileNeeds) {
    this.#needs = needs;
  }

  /** undefined where there is none. Rejects where it cannot be read. */
  async read(): Promise<Plan | undefined> {
    try {
      return JSON.parse(await readFile(this.#needs.file, 'utf8')) as Plan;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** `plan` is asked when it is written. Faults are logged. */
  save(plan: () => Plan): void {
    this.#next = plan;
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
    const plan = this.#next;
    if (plan === undefined) return;
    this.#next = undefined;
    this.#writing = this.#write(JSON.stringify(plan())).then(() => {
      this.#writing = undefined;
      this.#pause = this.#needs.clock.after(everyMs, () => {
        this.#pause = undefined;
        this.#begin();
      });
    });
  }

  async #write(text: string): Promise<void> {
    const { file, log } = this.#needs;
    try {
      await writeFile(`${file}.new`, text, { mode: 0o600 });
      await rename(`${file}.new`, file);
    } catch (error) {
      log.error({ error: messageOf(error) }, 'the plan could not be kept on disk');
    }
  }
}
