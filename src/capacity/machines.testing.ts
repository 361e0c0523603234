import { nothingObserved, type FunctionObservation, type Observation } from '../dataplanes/data-plane.ts';
import { functionKey, type FunctionKey } from '../domain/ids.ts';
import { seeded } from '../std/random.ts';
import { freshCapacity, limitsOf, observeCapacity, type Capacity, type Limits } from './capacity.ts';
import type { Bounds } from './next-limit.ts';

/** How fast each call of a function runs, as a part of its full speed, when so many run. */
export type Machine = (inFlight: { readonly all: number; readonly own: number }) => number;

/** Waiting only: nothing is in anything's way. */
export const idle: Machine = () => 1;
/** Cores that are shared fairly by all calls. */
export const processors =
  (cores: number): Machine =>
  ({ all }) =>
    Math.min(1, cores / all);
/** Something that the function asks, and that does so much at once. */
export const backend =
  (capacity: number): Machine =>
  ({ own }) =>
    Math.min(1, capacity / own);

export type Work = {
  readonly machine: Machine;
  /** Run time at full speed, milliseconds, of a call that begins at `at` (milliseconds from the start). */
  readonly cost: (random: () => number, at: number) => number;
  /** Clients that call again as soon as they are answered. */
  readonly clients: number;
};

export const always =
  (ms: number): Work['cost'] =>
  () =>
    ms;

/** Lognormal times of this mean. */
export const lognormal =
  (meanMs: number, sigma: number): Work['cost'] =>
  (random) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return meanMs * Math.exp(sigma * normal - (sigma * sigma) / 2);
  };

type Running = { readonly name: string; left: number; readonly begunAt: number };

export type Told = {
  readonly at: number;
  readonly slots: number;
  readonly steadySlots: number;
  readonly own: Readonly<Record<string, number>>;
};

/** What happened in a span of time. */
export type Span = { readonly perSecond: number; readonly meanMs: number };

const tickMs = 2;
const lookMs = 250;

/** A node in virtual time: clients, a bound on what runs at once, machines, and the rule that is looked at. */
export class VirtualNode {
  readonly told: Told[] = [];
  capacity: Capacity;
  readonly #bounds: Bounds;
  readonly #works: Readonly<Record<string, Work>>;
  readonly #random: () => number;
  readonly #ended: { readonly name: string; readonly at: number; readonly ms: number }[] = [];
  readonly #counts = new Map<
    FunctionKey,
    { -readonly [Name in keyof FunctionObservation]: FunctionObservation[Name] }
  >();
  #running: Running[] = [];
  readonly #waiting: string[] = [];
  #limits: Limits;
  #now = 0;

  constructor(works: Readonly<Record<string, Work>>, start: number, bounds: Bounds, seed = 1) {
    this.#works = works;
    this.#bounds = bounds;
    this.#random = seeded(seed);
    this.capacity = freshCapacity(start, bounds);
    this.#limits = limitsOf(this.capacity);
    for (const [name, { clients }] of Object.entries(works)) {
      this.#counts.set(functionKey(name), { ...nothingObserved });
      for (let client = 0; client < clients; client += 1) this.#come(name);
    }
    // Those that came at once do not come in order.
    this.#waiting.sort(() => this.#random() - 0.5);
  }

  run(ms: number): void {
    for (const end = this.#now + ms; this.#now < end;) {
      this.#begin();
      this.#advance();
      this.#now += tickMs;
      if (this.#now % lookMs === 0) this.#look();
    }
  }

  /** The limit as it was over the last `ms`, in the mean: dips of probes count. */
  meanSlots(ms: number): number {
    const recent = this.told.filter(({ at }) => at > this.#now - ms);
    return recent.reduce((sum, { slots }) => sum + slots, 0) / recent.length;
  }

  get now(): number {
    return this.#now;
  }

  get slots(): number {
    return limitsOf(this.capacity).steadySlots;
  }

  own(name: string): number | undefined {
    return limitsOf(this.capacity).functions.get(functionKey(name));
  }

  last(ms: number, name?: string): Span {
    const calls = this.#ended.filter((call) => call.at > this.#now - ms && (name === undefined || call.name === name));
    const span = Math.min(ms, this.#now);
    return {
      perSecond: (calls.length * 1000) / span,
      meanMs: calls.reduce((sum, call) => sum + call.ms, 0) / calls.length,
    };
  }

  #come(name: string): void {
    const counts = this.#counts.get(functionKey(name))!;
    const room = this.#roomFor(name);
    counts.entered += 1;
    if (room === 'slots') counts.foundFull += 1;
    if (room === 'limit') counts.foundLimit += 1;
    this.#waiting.push(name);
  }

  #roomFor(name: string): 'yes' | 'slots' | 'limit' {
    const { slots, functions } = this.#limits;
    if (this.#running.length >= slots) return 'slots';
    const limit = functions.get(functionKey(name)) ?? Infinity;
    return this.#counts.get(functionKey(name))!.inFlight >= limit ? 'limit' : 'yes';
  }

  #begin(): void {
    const held = new Set<string>();
    for (let index = 0; index < this.#waiting.length && held.size < this.#counts.size;) {
      const name = this.#waiting[index]!;
      const room = held.has(name) ? 'limit' : this.#roomFor(name);
      if (room === 'slots') return;
      if (room === 'limit') {
        held.add(name);
        index += 1;
        continue;
      }
      this.#waiting.splice(index, 1);
      this.#counts.get(functionKey(name))!.inFlight += 1;
      const left = this.#works[name]!.cost(this.#random, this.#now);
      this.#running.push({ name, left, begunAt: this.#now });
    }
  }

  #advance(): void {
    const all = this.#running.length;
    const speeds = new Map<string, number>();
    for (const [name, { machine }] of Object.entries(this.#works)) {
      speeds.set(name, machine({ all, own: this.#counts.get(functionKey(name))!.inFlight }));
    }
    const ended: Running[] = [];
    for (const call of this.#running) {
      call.left -= tickMs * speeds.get(call.name)!;
      if (call.left <= 0) ended.push(call);
    }
    if (ended.length === 0) return;
    this.#running = this.#running.filter(({ left }) => left > 0);
    for (const call of ended) this.#end(call);
  }

  #end({ name, begunAt }: Running): void {
    const counts = this.#counts.get(functionKey(name))!;
    const ms = this.#now + tickMs - begunAt;
    counts.inFlight -= 1;
    counts.ran += 1;
    counts.ranMs += ms;
    this.#ended.push({ name, at: this.#now, ms });
    // Its client has been answered, and what waited takes its place, before it calls again.
    this.#begin();
    this.#come(name);
  }

  #look(): void {
    const functions = Object.fromEntries([...this.#counts].map(([key, counts]) => [key, { ...counts }]));
    const observation: Observation = {
      ...{ at: this.#now, since: 0, planVersion: 1, queued: 0, peers: {} },
      inFlight: this.#running.length,
      functions,
    };
    this.capacity = observeCapacity(this.capacity, observation, this.#bounds);
    this.#limits = limitsOf(this.capacity);
    const { slots, steadySlots, functions: own } = this.#limits;
    const named = Object.keys(this.#works).flatMap((name) => {
      const limit = own.get(functionKey(name));
      return limit === undefined ? [] : [[name, limit] as const];
    });
    this.told.push({ at: this.#now, slots, steadySlots, own: Object.fromEntries(named) });
  }
}
