import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { functionKey, nodeId, type FunctionKey, type NodeId } from '../../../domain/ids.ts';
import {
  beginForward,
  beginLocal,
  beginReplica,
  emptyLive,
  endForward,
  endLocal,
  endReplica,
  functionLive,
  prune,
  type Live,
} from '../../../routing/live.ts';
import type { FunctionPlan, Plan } from '../../../routing/plan.ts';
import { placesOf } from '../../../routing/places.ts';
import { PlaceDirectory, type PlaceChanges } from './place-directory.ts';
import { SharedMemory } from './shared-memory.ts';
import { SharedPlaces } from './shared-places.ts';

const keys = ['f', 'g', 'h'].map((name) => functionKey(name));
const peerIds = ['a', 'b'].map((name) => nodeId(name));
const most = 3;

/** Of each function: whether it is planned, and with which replicas. */
type Shape = { readonly functions: readonly (readonly string[] | undefined)[]; readonly peers: readonly NodeId[] };

const planOf = (version: number, { functions, peers }: Shape): Plan => ({
  version,
  node: { id: nodeId('self'), name: 'self' },
  slots: 6,
  draining: false,
  peers: peers.map((id) => ({
    id,
    name: id,
    address: { kind: 'tcp', host: '127.0.0.1', port: 1 },
    publicKey: '',
    slots: 4,
    rttMs: 1,
  })),
  functions: Object.fromEntries(
    functions.flatMap((replicas, index) =>
      replicas === undefined ? [] : [[keys[index], functionPlan(replicas, peers)]],
    ),
  ) as Plan['functions'],
});

const functionPlan = (replicas: readonly string[], peers: readonly NodeId[]): FunctionPlan => ({
  policy: 'least-loaded',
  local: { weight: 1 },
  peers: peers.map((id) => ({ id, weight: 1, limit: { kind: 'in-flight', count: most } })),
  rejectShare: 0,
  admission: { peers: {}, others: { kind: 'in-flight', count: most } },
  replicas: replicas.map((id) => ({
    id,
    address: { kind: 'unix', path: id },
    version: '1',
    weight: 1,
    maxInFlight: 2,
  })),
  canStart: true,
  maxInFlight: most,
  maxRate: 0,
  queueMs: 0,
  timeoutMs: 1_000,
  hops: 1,
});

/** What a thread knows: it is told of plans in order, at any later time. */
class Thread {
  readonly places: SharedPlaces;
  readonly live: Live;
  readonly told: { readonly plan: Plan; readonly changes: PlaceChanges }[] = [];
  readonly running: {
    readonly key: FunctionKey;
    readonly end: () => void;
    readonly replica: string | undefined;
    readonly to: NodeId | undefined;
    readonly from: NodeId | undefined;
  }[] = [];
  plan = planOf(0, { functions: [], peers: [] });

  constructor(memory: SharedMemory, thread: number) {
    this.places = new SharedPlaces(memory, thread);
    this.live = emptyLive(this.places);
  }

  hear(): void {
    const next = this.told.shift();
    if (next === undefined) return;
    this.places.learn(next.changes);
    this.plan = next.plan;
    prune(this.live, next.plan);
  }

  /** A call here, or to a peer; says nothing where there is no room. */
  begin(key: FunctionKey, peer: NodeId, how: 'own' | 'received' | 'sent'): void {
    const planned = this.plan.functions[key];
    const knows = this.plan.peers.some(({ id }) => id === peer);
    if (planned === undefined || (how !== 'own' && !knows)) return;
    if (how === 'sent') {
      if (!beginForward(this.live, this.plan, key, peer, 0)) return;
      this.running.push({
        key,
        replica: undefined,
        to: peer,
        from: undefined,
        end: () => endForward(this.live, key, peer),
      });
      return;
    }
    const from = how === 'own' ? undefined : peer;
    if (!beginLocal(this.live, this.plan, key, from, 0)) return;
    const function_ = functionLive(this.live, key);
    const replica = beginReplica(planned, function_)?.id;
    const end = (): void => {
      if (replica !== undefined) endReplica(function_, replica, undefined);
      endLocal(this.live, key, from);
    };
    this.running.push({ key, replica, to: undefined, from, end });
  }
}

describe('numbers of places', () => {
  const shape = fc.record({
    functions: fc.array(fc.option(fc.subarray(['r1', 'r2', 'r3']), { nil: undefined, freq: 3 }), {
      minLength: 3,
      maxLength: 3,
    }),
    peers: fc.subarray(peerIds),
  });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('plan' as const), shape }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('hear' as const), thread: fc.nat(1) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('begin' as const),
        thread: fc.nat(1),
        key: fc.constantFrom(...keys),
        peer: fc.constantFrom(...peerIds),
        how: fc.constantFrom('own' as const, 'received' as const, 'sent' as const),
      }),
    },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('end' as const), thread: fc.nat(1), which: fc.nat() }) },
  );

  it('mean one place at a time, however plans and calls come and go, and however late threads hear of plans', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const memory = SharedMemory.create(2);
        const directory = new PlaceDirectory(memory);
        const threads = [new Thread(memory, 0), new Thread(memory, 1)];
        let version = 0;
        for (const next of steps) {
          if (next.kind === 'plan') {
            // As `Threads` does: the plan before is in force everywhere.
            for (const thread of threads) while (thread.told.length > 0) thread.hear();
            const plan = planOf((version += 1), next.shape);
            const changes = directory.changesTo(plan);
            for (const thread of threads) thread.told.push({ plan, changes });
            continue;
          }
          const thread = threads[next.thread] as Thread;
          if (next.kind === 'hear') thread.hear();
          if (next.kind === 'begin') thread.begin(next.key, next.peer, next.how);
          if (next.kind === 'end') thread.running.splice(next.which % Math.max(1, thread.running.length), 1)[0]?.end();
          expectTrueCounts(threads);
        }
        for (const thread of threads) for (const { end } of thread.running.splice(0)) end();
        expect([...memory.words.subarray(0, 5_000)].some((word) => word !== 0)).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  /** What a thread may count by is right: all calls are seen, and nobody else's. */
  const expectTrueCounts = (threads: readonly Thread[]): void => {
    const running = threads.flatMap(({ running: calls }) => calls);
    for (const { live, plan } of threads) {
      expect(live.running.count).toBe(running.filter(({ to }) => to === undefined).length);
      for (const [key, function_] of live.functions) {
        const planned = plan.functions[key];
        // What it still remembers, and nothing can begin in any more.
        if (planned === undefined) continue;
        const here = running.filter((call) => call.key === key && call.to === undefined);
        expect(function_.running.count).toBe(here.length);
        for (const [id, { count, own }] of function_.replicas) {
          if (own === 0 && !planned.replicas.some((replica) => replica.id === id)) continue;
          expect(count).toBe(here.filter(({ replica }) => replica === id).length);
        }
        const known = new Set(plan.peers.map((peer) => peer.id));
        for (const [id, { calls }] of function_.sent) {
          if (calls.own === 0 && !known.has(id)) continue;
          expect(calls.count).toBe(running.filter((call) => call.key === key && call.to === id).length);
        }
        for (const [id, { calls }] of function_.received) {
          if (calls.own === 0 && !known.has(id)) continue;
          expect(calls.count).toBe(here.filter(({ from }) => from === id).length);
        }
        expect(function_.waiting.count).toBe(0);
      }
      for (const { id } of plan.peers) {
        const outstanding = live.peers.get(id)?.outstanding.count;
        if (outstanding !== undefined) expect(outstanding).toBe(running.filter(({ to }) => to === id).length);
      }
    }
  };

  it('are not more for plans that differ in weights alone', () => {
    const directory = new PlaceDirectory(SharedMemory.create(2));
    const one = planOf(1, { functions: [['r1'], undefined, []], peers: peerIds });
    expect(directory.changesTo(one).added.length).toBeGreaterThan(0);
    expect(directory.changesTo({ ...one, version: 2, slots: 9 })).toEqual({ added: [], removed: [] });
  });

  it('are given out again, and refused where there are none left', () => {
    const directory = new PlaceDirectory(SharedMemory.create(2));
    let highest = 0;
    for (let version = 1; version <= 1_000; version += 1) {
      const { added } = directory.changesTo(planOf(version, { functions: [[`r${version}`]], peers: [] }));
      for (const [, number] of added) highest = Math.max(highest, number);
    }
    expect(highest).toBeLessThan(10);
    const many = Array.from({ length: 270_000 }, (_, index) => `r${index}`);
    const tooMany = planOf(1_001, { functions: [['r1000'], many], peers: peerIds });
    expect(() => directory.changesTo(tooMany)).toThrow(/embeddedThreads/);
    // As if it had never come: what is in force keeps its numbers, and what comes next is given some.
    expect(directory.changesTo(planOf(1_002, { functions: [['r1000']], peers: [] }))).toEqual({
      added: [],
      removed: [],
    });
    const next = directory.changesTo(planOf(1_003, { functions: [['r1000'], ['r1']], peers: [] }));
    expect(next.added.map(([name]) => name)).toEqual(placesOf(keys[1] as FunctionKey, functionPlan(['r1'], []), []));
    expect(Math.max(...next.added.map(([, number]) => number))).toBeLessThan(12);
  });
});
