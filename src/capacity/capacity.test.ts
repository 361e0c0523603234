import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nothingObserved, type FunctionObservation, type Observation } from '../dataplanes/data-plane.ts';
import { functionKey } from '../domain/ids.ts';
import { freshCapacity, isPressed, limitsOf, observeCapacity, type Capacity } from './capacity.ts';
import { always, backend, idle, lognormal, processors, VirtualNode, type Work } from './machines.testing.ts';

const bounds = { min: 1, max: 128 };
const many = 300;
const node = (work: Work | Readonly<Record<string, Work>>, start = 8, seed = 1): VirtualNode =>
  new VirtualNode('machine' in work ? { f: work as Work } : work, start, bounds, seed);

describe('slots of functions that only wait', () => {
  test('grow to the most when there is work for so many', () => {
    const virtual = node({ machine: idle, cost: always(50), clients: many });
    virtual.run(20_000);
    expect(virtual.slots).toBe(bounds.max);
  });

  test('grow to what is asked for, and not beyond it by more than a step', () => {
    const virtual = node({ machine: idle, cost: always(50), clients: 40 });
    virtual.run(60_000);
    expect(virtual.slots).toBeGreaterThanOrEqual(40);
    expect(virtual.slots).toBeLessThanOrEqual(51);
    expect(virtual.last(10_000).perSecond).toBeGreaterThan(0.95 * (40_000 / 52));
  });

  test.each([1, 2, 3])('grow all the same where times vary widely (seed %i)', (seed) => {
    const virtual = node({ machine: idle, cost: lognormal(50, 1), clients: many }, 8, seed);
    virtual.run(120_000);
    expect(virtual.meanSlots(60_000)).toBeGreaterThan(0.9 * bounds.max);
  });
});

describe('slots of functions that share processors', () => {
  test.each([
    [2, 1],
    [2, 8],
    [2, 64],
    [4, 16],
    [8, 1],
    [8, 32],
    [16, 128],
  ])('of %i cores settle where all work is done and nobody is much slower, from %i', (cores, start) => {
    const virtual = node({ machine: processors(cores), cost: always(50), clients: many }, start);
    virtual.run(120_000);
    const { perSecond, meanMs } = virtual.last(60_000);
    expect(perSecond).toBeGreaterThan(0.95 * cores * 20);
    expect(meanMs).toBeLessThan(2 * 50);
  });

  test.each([1, 2, 3])('settle near that where times vary widely (seed %i)', (seed) => {
    const virtual = node({ machine: processors(8), cost: lognormal(50, 1), clients: many }, 32, seed);
    virtual.run(150_000);
    const { perSecond, meanMs } = virtual.last(100_000);
    expect(perSecond).toBeGreaterThan(0.88 * 160);
    expect(meanMs).toBeLessThan(2.2 * 50);
  });

  test('mix short and long ones, each judged by its own run time', () => {
    const machine = processors(4);
    const virtual = node({
      short: { machine, cost: always(20), clients: 60 },
      long: { machine, cost: always(400), clients: 60 },
    });
    virtual.run(120_000);
    expect(virtual.last(60_000, 'short').meanMs).toBeLessThan(2 * 20);
    expect(virtual.last(60_000, 'long').meanMs).toBeLessThan(2 * 400);
    const busy = (virtual.last(60_000, 'short').perSecond * 20 + virtual.last(60_000, 'long').perSecond * 400) / 4_000;
    expect(busy).toBeGreaterThan(0.93);
    expect(virtual.own('short')).toBeUndefined();
    expect(virtual.own('long')).toBeUndefined();
  });
});

describe('when a function comes to cost another', () => {
  const changing =
    (before: number, after: number): Work['cost'] =>
    (_random, at) =>
      at < 60_000 ? before : after;

  test.each([
    ['twice as much', 2, 50, 100],
    ['twice as much', 8, 50, 100],
    ['half as much', 8, 100, 50],
  ])('%s, the slots for %i cores are found again', (_name, cores, before, after) => {
    const virtual = node({ machine: processors(cores), cost: changing(before, after), clients: many });
    virtual.run(60_000 + 100_000);
    const { perSecond, meanMs } = virtual.last(50_000);
    expect(perSecond).toBeGreaterThan(0.95 * cores * (1000 / after));
    expect(meanMs).toBeLessThan(2 * after);
  });

  test('ten times as much, by waiting and not by computing, the slots grow from the few that they were', () => {
    const machine: Work['machine'] = ({ all }) => (virtual.now < 60_000 ? Math.min(1, 2 / all) : 1);
    const virtual: VirtualNode = node({ machine, cost: changing(50, 500), clients: 60 });
    virtual.run(60_000);
    expect(virtual.slots).toBeLessThanOrEqual(4);
    virtual.run(60_000);
    expect(virtual.slots).toBeGreaterThanOrEqual(60);
  });

  test('ten times as much at the least slots, it is known by what it costs now', () => {
    const virtual = node({ machine: idle, cost: changing(50, 500), clients: 60 }, 1);
    virtual.run(60_000);
    virtual.capacity = { ...virtual.capacity, node: { ...virtual.capacity.node, limit: 1, steady: 1 } };
    virtual.run(60_000);
    expect(virtual.slots).toBeGreaterThanOrEqual(60);
  });

  test('by computing what it waited for before, the slots fall to what the cores can do', () => {
    const machine: Work['machine'] = ({ all }) => (virtual.now < 60_000 ? 1 : Math.min(1, 4 / all));
    const virtual: VirtualNode = node({ machine, cost: always(50), clients: many });
    virtual.run(60_000);
    expect(virtual.slots).toBe(bounds.max);
    virtual.run(120_000);
    expect(virtual.last(30_000).meanMs).toBeLessThan(2 * 50);
    expect(virtual.last(30_000).perSecond).toBeGreaterThan(0.95 * 80);
  });

  test('twice as much without being in anything’s way, it is not held back for it', () => {
    const virtual = node({ machine: idle, cost: changing(50, 100), clients: many });
    virtual.run(60_000 + 60_000);
    expect(virtual.meanSlots(20_000)).toBeGreaterThan(0.9 * bounds.max);
  });
});

describe('a limit of a function’s own', () => {
  const asksTooMuch = { machine: backend(5), cost: always(50), clients: 60 };
  const fine = { machine: idle, cost: always(50), clients: 60 };

  test('comes where what the function asks is held up, and leaves the others alone', () => {
    const virtual = node({ asks: asksTooMuch, fine });
    virtual.run(90_000);
    const owns = virtual.told.filter(({ at }) => at > 45_000).map(({ own }) => own);
    expect(owns.every(({ asks = Infinity }) => asks <= 12)).toBe(true);
    expect(owns.every((own) => own['fine'] === undefined)).toBe(true);
    expect(virtual.last(45_000, 'asks').perSecond).toBeGreaterThan(0.9 * 100);
    expect(virtual.last(45_000, 'asks').meanMs).toBeLessThan(2 * 50);
    expect(virtual.last(45_000, 'fine').perSecond).toBeGreaterThan(0.95 * 60 * (1000 / 52));
  });

  test('ends when it was not in the way for a while', () => {
    const quiet = { clients: 60, machine: backend(5), cost: always(50) };
    const virtual = node({ asks: quiet, fine });
    virtual.run(60_000);
    expect(virtual.own('asks')).toBeDefined();
    const key = functionKey('asks');
    let capacity = virtual.capacity;
    for (let at = 60_000; at <= 130_000; at += 250) capacity = observeCapacity(capacity, observed(at, {}), bounds);
    expect(limitsOf(capacity).functions.get(key)).toBeUndefined();
  });

  test('is not made where a function is alone: then it is the node’s', () => {
    const virtual = node({ asks: asksTooMuch });
    virtual.run(60_000);
    expect(virtual.own('asks')).toBeUndefined();
    expect(virtual.slots).toBeLessThanOrEqual(12);
  });
});

const key = functionKey('f');
const observed = (at: number, f: Partial<FunctionObservation>, since = 0): Observation => ({
  ...{ at, since, planVersion: 1, inFlight: f.inFlight ?? 0, queued: 0, peers: {} },
  functions: { [key]: { ...nothingObserved, ...f }, [functionKey('asks')]: nothingObserved },
});

describe('measured slots', () => {
  /** Each look: so many more calls, of so many milliseconds, and so many turned away. */
  const looks = (
    start: Capacity,
    count: number,
    calls: number,
    meanMs: number,
    crowded: number,
    inFlight = 1,
  ): Capacity => {
    let capacity = start;
    for (let look = 0; look < count; look += 1) {
      const f = { inFlight, ran: look * calls, ranMs: look * calls * meanMs, foundFull: look * crowded };
      capacity = observeCapacity(capacity, observed(look * 250, f), bounds);
    }
    return capacity;
  };

  test('stay as they are while too few calls end to tell anything', () => {
    const capacity = looks(freshCapacity(8, bounds), 200, 0.1, 5_000, 1);
    expect(limitsOf(capacity)).toMatchObject({ slots: 8, steadySlots: 8 });
  });

  test('stay as they are while nobody is turned away, however long calls take', () => {
    const first = looks(freshCapacity(8, bounds), 100, 20, 50, 0);
    expect(limitsOf(first).slots).toBe(8);
    expect(isPressed(first, key)).toBe(false);
  });

  test('are not taken away for long where open connections keep a probe from its measurement', () => {
    let low = 0;
    let capacity = freshCapacity(64, bounds);
    for (let look = 0; look < 4 * 120; look += 1) {
      const f = { inFlight: 60, ran: look * 40, ranMs: look * 40 * 50, foundFull: look };
      capacity = observeCapacity(capacity, observed(look * 250, f), bounds);
      if (limitsOf(capacity).slots < 60) low += 1;
    }
    expect(low).toBeGreaterThan(0);
    expect(low).toBeLessThan(10);
    expect(limitsOf(capacity).slots).toBe(bounds.max);
  });

  test('go on from where they are when the data plane starts anew', () => {
    const before = looks(freshCapacity(8, bounds), 20, 20, 50, 0);
    const after = observeCapacity(before, observed(6_000, { ran: 3 }, 5_900), bounds);
    expect(limitsOf(after)).toEqual(limitsOf(before));
  });

  test('keep to their bounds whatever the counters say', () => {
    const step = fc.record({
      ms: fc.integer({ min: -500, max: 5_000 }),
      ran: fc.integer({ min: -20, max: 5_000 }),
      meanMs: fc.double({ min: 0, max: 100_000, noNaN: true }),
      crowded: fc.integer({ min: -1, max: 3 }),
      inFlight: fc.integer({ min: 0, max: 500 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 200 }), (steps, start) => {
        const range = { min: 3, max: 60 };
        let capacity = freshCapacity(start, range);
        let [at, ran, ranMs, foundFull] = [0, 0, 0, 0];
        for (const one of steps) {
          at += one.ms;
          ran = Math.max(0, ran + one.ran);
          ranMs = Math.max(0, ranMs + one.ran * one.meanMs);
          foundFull = Math.max(0, foundFull + one.crowded);
          capacity = observeCapacity(capacity, observed(at, { ran, ranMs, foundFull, inFlight: one.inFlight }), range);
          const { slots, steadySlots, functions } = limitsOf(capacity);
          for (const limit of [slots, steadySlots]) {
            expect(Number.isInteger(limit)).toBe(true);
            expect(limit).toBeGreaterThanOrEqual(range.min);
            expect(limit).toBeLessThanOrEqual(range.max);
          }
          for (const limit of functions.values()) expect(limit).toBeGreaterThanOrEqual(1);
        }
      }),
    );
  });

  test('forget functions that are no more', () => {
    const capacity = looks(freshCapacity(8, bounds), 20, 20, 50, 0);
    expect(capacity.baselines.has(key)).toBe(true);
    const after = observeCapacity(capacity, { ...observed(6_000, {}), functions: {} }, bounds);
    expect(after.baselines.size).toBe(0);
  });
});
