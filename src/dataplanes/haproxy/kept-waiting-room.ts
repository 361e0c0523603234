import { join } from 'node:path';
import { messageOf } from '../../domain/errors.ts';
import type { FunctionKey } from '../../domain/ids.ts';
import type { Demand } from '../data-plane.ts';
import type { HaproxyState } from './haproxy-state.ts';
import { WaitingProcess } from './waiting-process.ts';

/** One that fails again and again is started at most this often. */
const restartMs = 500;

/** The waiting room's process, for as long as the data plane runs: started again when it ends. */
export class KeptWaitingRoom {
  readonly #state: HaproxyState;
  readonly #process: WaitingProcess;
  #restarting: Promise<void> | undefined;

  constructor(state: HaproxyState, onDemand: (demand: Demand) => void) {
    this.#state = state;
    const { needs, paths: where } = state;
    const { folder, clock, settings } = needs;
    this.#process = new WaitingProcess({
      clock,
      pidFile: join(folder, 'waiting.pid'),
      launchFile: join(folder, 'waiting.json'),
      logFile: state.logFile,
      launch: {
        socket: where.waiting,
        again: where.again,
        admin: where.admin,
        control: where.waitingControl,
        calls: where.calls,
        nodeName: settings.nodeName,
        telling: needs.telling,
      },
      environment: environment(),
      onDemand,
      onGone: () => {
        if (!state.ended) this.#restarting = this.#restart();
      },
    });
  }

  /** Adopts the one that runs, or starts one. */
  async adoptOrStart(): Promise<void> {
    if (!(await this.#process.adopt())) await this.#process.start();
  }

  start(): Promise<void> {
    return this.#process.start();
  }

  /** How many calls wait for room, by function. */
  queued(): Promise<{ readonly [key: FunctionKey]: number }> {
    return this.#process.queued();
  }

  /** Of what it tells of calls of the functions that there are; in the form of prom-client's `getMetricsAsJSON`. */
  metrics(functions: readonly FunctionKey[]): Promise<readonly unknown[]> {
    return this.#process.metrics(functions);
  }

  /** Leaves it as it is. */
  release(): void {
    this.#process.release();
  }

  end(): Promise<void> {
    return this.#process.end();
  }

  /** Resolves when it is not being started; call it once `state.ended`. */
  async settled(): Promise<void> {
    await this.#restarting;
  }

  async #restart(): Promise<void> {
    const { log } = this.#state.needs;
    log.warn({}, 'the waiting room is gone; starting it again');
    while (!this.#state.ended) {
      try {
        return await this.#process.start();
      } catch (error) {
        log.error({ error: messageOf(error) }, 'the waiting room does not start');
        await this.#state.pause(restartMs);
      }
    }
  }
}

/** The agent's own environment without what would change how a program starts. */
const environment = (): NodeJS.ProcessEnv => {
  const { NODE_EXTRA_CA_CERTS: _ca, NODE_OPTIONS: _options, ...rest } = process.env;
  return rest;
};
