import { readFile } from 'node:fs/promises';
import { messageOf } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import { NewestFile } from '../../std/newest-file.ts';
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

/** `plan.json`: the newest, for the next agent, who must find it as it is in force. */
export class PlanFile {
  readonly #path: string;
  readonly #file: NewestFile;

  constructor(path: string, clock: Pick<Clock, 'after'>, log: Log) {
    const onFault = (error: unknown): void =>
      log.error({ error: messageOf(error) }, 'the plan could not be kept on disk');
    this.#path = path;
    this.#file = new NewestFile({ file: path, clock, everyMs: 0, onFault });
  }

  async read(): Promise<Kept | undefined> {
    try {
      const kept = JSON.parse(await readFile(this.#path, 'utf8')) as Draft;
      return kept.shape === undefined || kept.ports === undefined ? undefined : (kept as Kept);
    } catch {
      // Without it the agent begins as after a first start, which costs some seconds of sharing.
      return undefined;
    }
  }

  /** `kept` is asked when it is written. Faults are logged. */
  save(kept: () => Draft): void {
    this.#file.save(() => JSON.stringify(kept()));
  }

  /** Resolves when what was given to `save` is written. */
  saved(): Promise<void> {
    return this.#file.flush();
  }
}
