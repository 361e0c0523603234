import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seeded } from '../std/random.ts';
import { maxTries } from './decide.ts';
import { Federation, type Ending } from './federation.testing.ts';

const counted = (federation: Federation, ending: Ending): number =>
  federation.requests.filter(({ endings }) => endings.includes(ending)).length;

describe('a federation of any shape, under any load, with late and lost reports', () => {
  const nodes = fc.array(
    fc.record({ slots: fc.integer({ min: 1, max: 12 }), maxInFlight: fc.constantFrom(0, 0, 1, 3, 20) }),
    {
      minLength: 1,
      maxLength: 7,
    },
  );
  const calls = fc.array(fc.tuple(fc.nat(6), fc.nat(400), fc.integer({ min: 1, max: 30 })), {
    minLength: 1,
    maxLength: 20,
  });
  const facts = fc.record({
    nodes,
    calls,
    seed: fc.integer(),
    delayMs: fc.constantFrom(0, 0.2, 5, 80),
    meanMs: fc.constantFrom(1, 40, 300),
    queueMs: fc.constantFrom(0, 50, 2_000),
    loss: fc.constantFrom(0, 0.3, 1),
  });

  const played = ({
    nodes,
    calls,
    seed,
    delayMs,
    meanMs,
    queueMs,
    loss,
  }: typeof facts extends fc.Arbitrary<infer T> ? T : never) => {
    const random = seeded(seed);
    const serviceMs = (): number => meanMs * (0.2 + 1.6 * random());
    const federation = new Federation({ nodes, policy: 'least-loaded', random, delayMs, serviceMs, queueMs, loss });
    for (const [node, at, count] of calls)
      for (let call = 0; call < count; call += 1) federation.call(node, 1_000 + at);
    federation.run();
    return federation;
  };

  it('lets load flow downhill only, from nodes without room to nodes with some, and runs nothing beyond a bound', () => {
    fc.assert(
      fc.property(facts, (any) => {
        expect(played(any).faults).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('gives every call one ending, after at most a few tries at a time and never a second hop', () => {
    fc.assert(
      fc.property(facts, (any) => {
        const waitsAtMost = any.queueMs / 10 + 1_000;
        for (const { endings, forwards } of played(any).requests) {
          expect(endings).toHaveLength(1);
          expect(forwards).toBeLessThanOrEqual(maxTries * waitsAtMost);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('leaves nothing behind', () => {
    fc.assert(
      fc.property(facts, (any) => {
        for (const { live, queue } of played(any).nodes) {
          expect([live.running.count, queue.length]).toEqual([0, 0]);
          for (const peer of live.peers.values()) expect(peer.outstanding.count).toBe(0);
          for (const { running, waiting, replicas, sent, received } of live.functions.values()) {
            const flows = [...sent.values(), ...received.values()].map(({ calls }) => calls);
            for (const { count } of [running, waiting, ...replicas.values(), ...flows]) expect(count).toBe(0);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('three nodes of 4, 8 and 16 slots, called at the smallest', () => {
  const play = (perSecond: number, delayMs = 0.3) => {
    const random = seeded(7);
    const sizes = [4, 8, 16].map((slots) => ({ slots, maxInFlight: 0 }));
    const facts = {
      nodes: sizes,
      policy: 'least-loaded',
      random,
      delayMs,
      serviceMs: () => 50,
      queueMs: 2_000,
      loss: 0,
    } as const;
    const federation = new Federation(facts);
    for (let call = 0; call < perSecond * 10; call += 1) federation.call(0, 1_000 + (call * 1_000) / perSecond);
    federation.run();
    return federation;
  };

  it('refuse nothing at half of what they can do', () => {
    expect(counted(play(300), 'refused') + counted(play(300), 'timed out')).toBe(0);
  });

  it('refuse nothing at nine tenths of what they can do', () => {
    expect(counted(play(500), 'refused') + counted(play(500), 'timed out')).toBe(0);
  });

  it('do nearly all they can when more comes, refuse the rest, and let none wait long', () => {
    const federation = play(700);
    const served = counted(federation, 'here') + counted(federation, 'at a peer');
    expect(served).toBeGreaterThan(560 * 10 * 0.95);
    expect(counted(federation, 'timed out')).toBe(0);
    expect(counted(federation, 'refused')).toBeGreaterThan(0);
  });
});
