import type { OnCall } from '../../../telemetry/call-record.ts';
import type { Clock } from '../../../std/clock.ts';
import type { Log } from '../../../telemetry/log.ts';
import type { MetricJson } from '../../../telemetry/tallies.ts';
import type { Plan } from '../../../routing/plan.ts';
import type { Demand, Observation, PeerHint } from '../../data-plane.ts';
import { unusedPorts, type Ports } from '../../plane-server.ts';
import { merged, OwnCarrier, type Carrier } from '../carrier.ts';
import type { Launch, PlanCommand } from '../protocol.ts';
import { ownOffsetMs } from './aligned-clock.ts';
import { mergedMetrics } from './merged-metrics.ts';
import { mergedObservation } from './merged-observation.ts';
import { PlaceDirectory } from './place-directory.ts';
import { SharedMemory } from './shared-memory.ts';
import { SharedPlaces } from './shared-places.ts';
import { SharedTurns } from './shared-turns.ts';
import { ThreadCarrier } from './thread-carrier.ts';

export type ThreadsNeeds = {
  readonly settings: Launch;
  readonly clock: Clock;
  readonly log: Log;
  readonly onDemand: (demand: Demand) => void;
  readonly onCall: OnCall | undefined;
  /** One of the threads is gone. */
  readonly onLost: (why: string) => void;
};

/**
 * Several threads that carry calls as one plane: each has its own connections and queues, and all count by the same numbers, so that
 * every bound of the plan holds for all together.
 */
export class Threads implements Carrier {
  readonly #settings: Launch;
  readonly #own: OwnCarrier;
  readonly #others: readonly ThreadCarrier[];
  readonly #directory: PlaceDirectory;
  #applying: Promise<void> = Promise.resolve();

  private constructor(settings: Launch, own: OwnCarrier, others: readonly ThreadCarrier[], directory: PlaceDirectory) {
    this.#settings = settings;
    this.#own = own;
    this.#others = others;
    this.#directory = directory;
  }

  static async open({ settings, clock, log, onDemand, onCall, onLost }: ThreadsNeeds): Promise<Threads> {
    const threads = settings.threads;
    const memory = SharedMemory.create(threads);
    const directory = new PlaceDirectory(memory);
    const places = new SharedPlaces(memory, 0);
    const turns = new SharedTurns({ memory, places, thread: 0, onRoom: () => own.server.plane.roomCame() });
    const launch = { settings, memory: memory.bytes, threads, clockOffsetMs: ownOffsetMs() };
    const opening = Array.from({ length: threads - 1 }, (_, index) =>
      ThreadCarrier.open({ ...launch, thread: index + 1, onDemand, onCall, onLost }),
    );
    const own = await OwnCarrier.open({
      settings,
      clock,
      log,
      onDemand,
      onCall,
      shared: { places, turns },
      onPlaces: (changes) => places.learn(changes),
      warmPath: `${settings.controlSocket}w`,
    });
    return new Threads(settings, own, await Promise.all(opening), directory);
  }

  get told(): Plan | undefined {
    return this.#own.told;
  }

  /** One plan after the other: numbers of places are given out again by what is in force in all threads. */
  apply(command: PlanCommand): Promise<void> {
    const applied = this.#applying.then(() => this.#apply(command));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  hint(peers: readonly PeerHint[]): void {
    for (const carrier of this.#all) carrier.hint(peers);
  }

  attend(attended: boolean): void {
    for (const carrier of this.#all) carrier.attend(attended);
  }

  async observe(): Promise<Observation> {
    return mergedObservation(await Promise.all(this.#all.map((carrier) => carrier.observe())));
  }

  async metrics(): Promise<readonly unknown[]> {
    const each = await Promise.all(this.#all.map((carrier) => carrier.metrics()));
    return mergedMetrics(each as readonly (readonly MetricJson[])[]);
  }

  async listen(): Promise<Ports> {
    const ports = await unusedPorts(this.#settings);
    await Promise.all(this.#all.map((carrier) => carrier.listen(ports)));
    return ports;
  }

  async drain(drainMs: number): Promise<void> {
    await Promise.all(this.#all.map((carrier) => carrier.drain(drainMs)));
  }

  get #all(): readonly Carrier[] {
    return [this.#own, ...this.#others];
  }

  async #apply(command: PlanCommand): Promise<void> {
    // An older one changes nothing, nor may it take places from what is in force.
    if (this.told !== undefined && command.plan.version < this.told.version) return;
    const places = this.#directory.changesTo(merged(this.told, command));
    // Told to all whatever one of them says, and waited for: the directory goes by it that it is in force in all.
    const told = await Promise.allSettled(this.#all.map(async (carrier) => carrier.apply(command, places)));
    for (const one of told) if (one.status === 'rejected') throw one.reason;
  }
}
