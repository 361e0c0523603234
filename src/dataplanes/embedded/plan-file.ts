import { readFile } from 'node:fs/promises';
import { messageOf } from '../../domain/errors.ts';
import type { Plan } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import { NewestFile } from '../../std/newest-file.ts';
import type { Log } from '../../telemetry/log.ts';

export type PlanFileNeeds = {
  readonly file: string;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Pick<Log, 'error'>;
};

/** Writing a large plan takes this process milliseconds in which no call goes on, and weights change four times a second. */
const everyMs = 1_000;

/** The plan on disk, for a process that begins while no agent is there: the newest, written at most once a second. */
export class PlanFile {
  readonly #path: string;
  readonly #file: NewestFile;

  constructor({ file, clock, log }: PlanFileNeeds) {
    const onFault = (error: unknown): void =>
      log.error({ error: messageOf(error) }, 'the plan could not be kept on disk');
    this.#path = file;
    this.#file = new NewestFile({ file, clock, everyMs, onFault });
  }

  /** undefined where there is none. Rejects where it cannot be read. */
  async read(): Promise<Plan | undefined> {
    try {
      return JSON.parse(await readFile(this.#path, 'utf8')) as Plan;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** `plan` is asked when it is written. Faults are logged. */
  save(plan: () => Plan): void {
    this.#file.save(() => JSON.stringify(plan()));
  }

  /** Resolves when what was given to `save` is written, which is at once. */
  flush(): Promise<void> {
    return this.#file.flush();
  }
}
