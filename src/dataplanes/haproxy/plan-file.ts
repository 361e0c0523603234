import { readFile, rename, writeFile } from 'node:fs/promises';
import { messageOf } from '../../domain/errors.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Observation } from '../data-plane.ts';
import type { Shape } from './shape.ts';

export type Ports = { readonly gateway: number; readonly peer: number };

/** What is kept for the next agent. */
export type Kept = {
  readonly settings: string;
  readonly ports: Ports;
  readonly since: number;
  /** Counters of HAProxies that were before the one that runs. */
  readonly before: Observation | undefined;
  readonly shape: Shape;
};

/** As far as it is known. */
type Draft = { readonly [name in keyof Kept]?: Kept[name] | undefined };

/** `plan.json`: written behind whoever changes the plan, the newest only. */
export class PlanFile {
  readonly #file: string;
  readonly #log: Log;
  #next: (() => Draft) | undefined;
  #saving: Promise<void> | undefined;

  constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
  }

  async read(): Promise<Kept | undefined> {
    try {
      const kept = JSON.parse(await readFile(this.#file, 'utf8')) as Draft;
      return kept.shape === undefined || kept.ports === undefined ? undefined : (kept as Kept);
    } catch {
      // Without it the agent begins as after a first start, which costs some seconds of sharing.
      return undefined;
    }
  }

  /** `kept` is asked when it is written. Faults are logged. */
  save(kept: () => Draft): void {
    this.#next = kept;
    this.#saving ??= this.#write()
      .catch((error: unknown) => this.#log.error({ error: messageOf(error) }, 'the plan could not be kept on disk'))
      .finally(() => {
        this.#saving = undefined;
        if (this.#next !== undefined) this.save(this.#next);
      });
  }

  /** Resolves when what was given to `save` is written. */
  async saved(): Promise<void> {
    await this.#saving;
  }

  async #write(): Promise<void> {
    while (this.#next !== undefined) {
      const text = JSON.stringify(this.#next());
      this.#next = undefined;
      await writeFile(`${this.#file}.new`, text, { mode: 0o600 });
      await rename(`${this.#file}.new`, this.#file);
    }
  }
}
