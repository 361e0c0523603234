import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { messageOf } from '../../domain/errors.ts';
import type { FunctionKey } from '../../domain/ids.ts';
import type { FunctionPlan, Plan } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import type { OnCall } from '../../telemetry/call-record.ts';
import { callTracer } from '../../telemetry/call-spans.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Tracing } from '../../telemetry/otlp/open-tracing.ts';
import { selfSigned } from '../certificate.ts';
import type { Demand, Observation, PeerHint } from '../data-plane.ts';
import { PlaneServer, type PlaneServerNeeds, type Ports } from '../plane-server.ts';
import { lastSpansMs, openPlaneTracing } from '../plane-tracing.ts';
import type { Launch, PlanCommand } from './protocol.ts';
import type { PlaceChanges } from './threads/place-directory.ts';
import { warmUp } from './warm-up.ts';

/** What carries calls in one thread of the plane, as the thread that hears the agent sees it. */
export interface Carrier {
  apply(command: PlanCommand, places?: PlaceChanges): Promise<void>;
  hint(peers: readonly PeerHint[]): void;
  /** Whether an agent is there. */
  attend(attended: boolean): void;
  observe(): Promise<Observation>;
  metrics(): Promise<readonly unknown[]>;
  listen(together?: Ports): Promise<Ports>;
  /** Takes nothing new, and resolves when what runs is over, or after `drainMs`; what is there to be written is written. */
  drain(drainMs: number): Promise<void>;
}

export type CarrierNeeds = {
  readonly settings: Launch;
  readonly clock: Clock;
  readonly log: Log;
  readonly onDemand: (demand: Demand) => void;
  readonly onCall?: OnCall | undefined;
  readonly shared?: PlaneServerNeeds['shared'] | undefined;
  /** Told what changes of the places, before the plan they belong to. */
  readonly onPlaces?: (changes: PlaceChanges) => void;
  /** Of this thread, for sockets while it warms up. */
  readonly warmPath: string;
};

/** One in this thread. */
export class OwnCarrier implements Carrier {
  readonly server: PlaneServer;
  readonly #needs: CarrierNeeds;
  readonly #tracing: Tracing | undefined;

  private constructor(needs: CarrierNeeds, server: PlaneServer, tracing: Tracing | undefined) {
    this.#needs = needs;
    this.server = server;
    this.#tracing = tracing;
  }

  /** Warmed up, without a plan, and listening nowhere. */
  static async open(needs: CarrierNeeds): Promise<OwnCarrier> {
    const { settings, clock, log, onDemand, onCall, shared, warmPath } = needs;
    const credentials = await selfSigned(createPrivateKey(await readFile(settings.identityFile)), Date.now());
    const tracing = await openPlaneTracing(settings.tracing, settings.nodeName, log);
    const server = new PlaneServer({
      ...settings,
      credentials,
      clock,
      random: Math.random,
      log,
      onDemand,
      onCall,
      shared,
      tracer: tracing && callTracer(tracing, settings.nodeName),
    });
    await warmUp(warmPath, server.peers, server.system).catch((error: unknown) =>
      log.warn({ error: messageOf(error) }, 'the data plane could not warm up'),
    );
    server.plane.attend(false);
    return new OwnCarrier(needs, server, tracing);
  }

  /** What was told to hold last, whole. */
  get told(): Plan | undefined {
    return this.server.plane.told;
  }

  apply(command: PlanCommand, places?: PlaceChanges): Promise<void> {
    if (places !== undefined) this.#needs.onPlaces?.(places);
    this.server.plane.apply(merged(this.told, command));
    return Promise.resolve();
  }

  hint(peers: readonly PeerHint[]): void {
    this.server.plane.hint(peers);
  }

  attend(attended: boolean): void {
    this.server.plane.attend(attended);
  }

  observe(): Promise<Observation> {
    return Promise.resolve(this.server.plane.observe());
  }

  async metrics(): Promise<readonly unknown[]> {
    return [...(await this.server.instruments.metrics()), ...((await this.#tracing?.metrics()) ?? [])];
  }

  listen(together?: Ports): Promise<Ports> {
    return this.server.listen(together);
  }

  async drain(drainMs: number): Promise<void> {
    await this.server.drain(drainMs);
    await this.#tracing?.close(lastSpansMs);
  }
}

/** The whole plan that a command means, after `told`. */
export const merged = (told: Plan | undefined, { plan, whole, removed }: PlanCommand): Plan => {
  if (whole || told === undefined) return plan;
  const functions: Record<FunctionKey, FunctionPlan> = { ...told.functions, ...plan.functions };
  for (const key of removed) delete functions[key];
  return { ...plan, functions };
};
