import { SkeinError } from '../../domain/errors.ts';
import type { FunctionKey } from '../../domain/ids.ts';
import type { Plan, TcpAddress } from '../../routing/plan.ts';
import type { DataPlane, Demand, Observation, PeerHint } from '../data-plane.ts';
import { Changes } from './changes.ts';
import { HaproxyState, type HaproxyDataPlaneNeeds } from './haproxy-state.ts';
import { hintCommands } from './hints.ts';
import { KeptWaitingRoom } from './kept-waiting-room.ts';
import { haproxyMetrics } from './metrics.ts';
import { addObservations, readObservation } from './observation.ts';
import { assign } from './shape.ts';
import { Supervisor } from './supervisor.ts';
import { sayable } from './words.ts';

export type { HaproxyDataPlaneNeeds } from './haproxy-state.ts';

/** Beyond, what peers say of their load is not passed on: the next word is as good. */
const maxHintsPending = 200;

/**
 * HAProxy as a data plane: told at run time what changes, over its admin socket, and reloaded only when there are more
 * functions than it has backends for (`shape.ts`).
 */
export class HaproxyDataPlane implements DataPlane {
  readonly #state: HaproxyState;
  readonly #listeners = new Set<(demand: Demand) => void>();
  readonly #room: KeptWaitingRoom;
  readonly #changes: Changes;
  readonly #supervisor: Supervisor;

  constructor(needs: HaproxyDataPlaneNeeds) {
    const state = new HaproxyState(needs);
    this.#state = state;
    this.#room = new KeptWaitingRoom(state, (demand) => {
      for (const listener of this.#listeners) listener(demand);
    });
    this.#changes = new Changes({
      state,
      observe: () => this.observe(),
      watch: (admin) => this.#supervisor.watch(admin),
    });
    this.#supervisor = new Supervisor({ state, changes: this.#changes, room: this.#room });
  }

  /** Whether HAProxy was there before `start`. */
  get adopted(): boolean {
    return this.#supervisor.adopted;
  }

  /** How often it was reloaded since `start`. */
  get reloads(): number {
    return this.#state.reloads;
  }

  start(): Promise<void> {
    return this.#supervisor.start();
  }

  stop(drainMs: number): Promise<void> {
    return this.#supervisor.stop(drainMs);
  }

  release(): Promise<void> {
    return this.#supervisor.release();
  }

  address(): { readonly gateway: TcpAddress; readonly peer: TcpAddress } {
    return this.#state.address();
  }

  apply(given: Plan): Promise<void> {
    const state = this.#state;
    return state.turns.run(async () => {
      if (state.shape !== undefined && given.version < state.shape.plan.version) return;
      const { plan, problems } = sayable(given);
      for (const problem of problems) state.needs.log.error({ problem }, 'a part of the plan is left out');
      const before = state.shape;
      const after = assign(before, plan);
      if (before !== undefined && state.admin !== undefined) {
        await this.#changes.carryOut(before, after, state.admin);
      }
      state.shape = after;
      state.save();
      if (state.admin === undefined) {
        throw new SkeinError('unavailable', 'HAProxy does not run; it gets the plan when it does');
      }
    });
  }

  carried(): Promise<Plan | undefined> {
    return Promise.resolve(this.adopted ? this.#state.shape?.plan : undefined);
  }

  hint(peers: readonly PeerHint[]): void {
    const { admin, shape } = this.#state;
    if (admin === undefined || shape === undefined || admin.pending > maxHintsPending) return;
    const commands = peers.flatMap((peer) => hintCommands(shape, peer));
    admin.askAll(commands).catch(() => undefined);
  }

  async observe(): Promise<Observation> {
    const { admin, shape, needs } = this.#state;
    if (admin === undefined || shape === undefined) throw new SkeinError('unavailable', 'HAProxy does not run');
    const [text, queued] = await Promise.all([admin.ask('skein observe'), this.#room.queued()]);
    const { before, since } = this.#state;
    return addObservations(before, readObservation({ text, queued, shape, at: needs.clock.now(), since }));
  }

  async metrics(): Promise<readonly unknown[]> {
    const { admin, shape, wantedSettings, reloads } = this.#state;
    if (admin === undefined || shape === undefined) return [];
    const { functions, peers } = shape.plan;
    const told = wantedSettings.records ? this.#room.metrics(Object.keys(functions) as FunctionKey[]) : [];
    return [...(await haproxyMetrics({ observed: await this.observe(), peers, reloads })), ...(await told)];
  }

  onDemand(listener: (demand: Demand) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
