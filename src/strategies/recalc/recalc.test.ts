import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recalc } from './recalc.ts';
import { Federation, fn } from './virtual-federation.ts';
import type { NodeSetup } from './virtual-federation.ts';

const minute = 60_000;
/** A whole number of periods of every length used here. */
const aligned = 1_700_000_400_000;
const published = {
  'node-1': { userRate: 50, maxRate: 10 },
  'node-2': { userRate: 0, maxRate: 32 },
  'node-3': { userRate: 0, maxRate: 48 },
};

describe('the published experiment: 50 req/s to a node limited to 10, helpers that offer it 16 and 24', () => {
  it.each([1000, 1001, minute, 10 * minute])(
    'loses 40 a second at first and none after two rounds of %d ms',
    (periodMs) => {
      const federation = new Federation(periodMs, Math.ceil(aligned / periodMs) * periodMs, published);
      federation.run(1.4);
      expect(federation.served('node-1')).toEqual({ local: 10, forwarded: {}, lost: 40 });
      federation.run(0.2);
      for (let periods = 0; periods < 5; periods += 0.5) {
        const { local, forwarded, lost } = federation.served('node-1');
        expect(local).toBe(10);
        expect(forwarded['node-2']).toBeCloseTo(16, 9);
        expect(forwarded['node-3']).toBeCloseTo(24, 9);
        expect(lost).toBeCloseTo(0, 9);
        federation.run(0.5);
      }
    },
  );

  it('takes no longer when it starts late in a period', () => {
    const federation = new Federation(minute, aligned + 0.6 * minute, published);
    federation.run(1);
    expect(federation.served('node-1').lost).toBeCloseTo(0, 9);
  });

  it('can use only a part of what helpers have, since each offers all its peers the same', () => {
    const federation = new Federation(minute, aligned, {
      ...published,
      'node-2': { userRate: 0, maxRate: 16 },
      'node-3': { userRate: 0, maxRate: 24 },
    });
    federation.run(2);
    expect(federation.served('node-1').lost).toBeCloseTo(20, 9);
  });

  it.each([1000, minute])('goes on with the helper that is left when one vanishes (period %d ms)', (periodMs) => {
    const federation = new Federation(periodMs, aligned, published);
    federation.run(2);
    federation.kill('node-3');
    federation.run(1.25);
    expect(federation.route('node-1').peers.map((peer) => peer.id)).toEqual(['node-2']);
    federation.run(1.3);
    expect(federation.served('node-1')).toMatchObject({ local: 10, lost: 8 });
    expect(federation.served('node-1').forwarded['node-2']).toBeCloseTo(32, 9);
  });
});

describe('recalc protects the users of the node that helps', () => {
  it('never admits more than users leave free, however their rates move', () => {
    const setup = fc.record({
      userRate: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 120, noNaN: true })),
      maxRate: fc.double({ min: 0, max: 100, noNaN: true }),
    });
    const setups = fc.record({ 'node-1': setup, 'node-2': setup, 'node-3': setup });
    const moves = fc.array(fc.tuple(fc.constantFrom('node-1', 'node-2', 'node-3'), setup), { maxLength: 6 });
    fc.assert(
      fc.property(setups, moves, fc.constantFrom(1000, minute), (first, later, periodMs) => {
        const federation = new Federation(periodMs, aligned + periodMs / 3, first);
        const check = (): void => {
          for (const name of Object.keys(first)) expectRoom(federation, name);
        };
        federation.run(2, check);
        for (const [name, next] of later) {
          federation.set(name, next);
          federation.run(0.7, check);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('takes grants back when its users come, and gives them again when they go', () => {
    const federation = new Federation(minute, aligned, published);
    federation.run(1.6);
    expect(federation.admitted('node-2')).toBeCloseTo(32, 9);
    federation.set('node-2', { userRate: 30, maxRate: 32 });
    federation.run(0.3);
    expect(federation.admitted('node-2')).toBeLessThanOrEqual(2);
    federation.set('node-2', { userRate: 0, maxRate: 32 });
    federation.run(0.3);
    expect(federation.admitted('node-2')).toBeCloseTo(32, 9);
  });

  it('offers the same again when peers use what it offered', () => {
    const federation = new Federation(minute, aligned, published);
    federation.run(1.6);
    const before = federation.route('node-2').admission;
    for (let period = 0; period < 4; period += 1) {
      federation.run(1);
      expect(federation.route('node-2').admission).toEqual(before);
    }
  });

  it('lets in no one whom it granted nothing', () => {
    const federation = new Federation(minute, aligned, published);
    federation.run(3);
    expect(federation.route('node-1').admission).toEqual({ peers: {}, others: { kind: 'rate', perSecond: 0 } });
  });

  it('gives its own users the way out before it counts as overloaded', () => {
    const federation = new Federation(minute, aligned, { ...published, 'node-1': { userRate: 9, maxRate: 10 } });
    federation.run(1.6);
    expect(federation.route('node-1').peers.map((peer) => peer.id)).toEqual(['node-2', 'node-3']);
  });
});

describe('recalc, where the published one gives up', () => {
  it('shares out margins below one request a second', () => {
    const federation = new Federation(minute, aligned, {
      'node-1': { userRate: 1, maxRate: 0.5 },
      'node-2': { userRate: 0, maxRate: 0.3 },
      'node-3': { userRate: 0, maxRate: 0.7 },
    });
    federation.run(2);
    const { forwarded, lost } = federation.served('node-1');
    expect(forwarded['node-2']).toBeCloseTo(0.15, 9);
    expect(forwarded['node-3']).toBeCloseTo(0.35, 9);
    expect(lost).toBeCloseTo(0, 9);
  });

  it('forwards every call of a function that only peers have', () => {
    const federation = new Federation(minute, aligned, { ...published, 'node-1': { userRate: 40 } });
    federation.run(2);
    const { local, forwarded, lost } = federation.served('node-1');
    expect(local).toBe(0);
    expect(forwarded['node-2']).toBeCloseTo(16, 9);
    expect(forwarded['node-3']).toBeCloseTo(24, 9);
    expect(lost).toBeCloseTo(0, 9);
  });

  it('takes no offer from a peer that does not host the function', () => {
    const federation = new Federation(minute, aligned, { ...published, 'node-3': { userRate: 0 } });
    federation.lie('node-3', 'node-1', { [fn]: 1000 });
    federation.run(1.6);
    expect(federation.route('node-1').peers.map((peer) => peer.id)).toEqual(['node-2']);
  });

  it('serves a function without label here without a limit, and offers peers the slots it leaves free', () => {
    const helper: NodeSetup = { userRate: 20, maxRate: null, slots: 4, serviceMs: 100 };
    const federation = new Federation(minute, aligned, { ...published, 'node-2': helper });
    federation.run(2);
    expect(federation.route('node-2').local).toEqual({ weight: 1 });
    expect(federation.admitted('node-2')).toBeCloseTo(20, 9);
    expect(federation.served('node-1').forwarded['node-2']).toBeGreaterThan(9);
  });

  it('offers its free slots of a function without label that never ran, at a guess of what a call needs', () => {
    const helper: NodeSetup = { userRate: 0, maxRate: null, slots: 8 };
    const federation = new Federation(minute, aligned, { ...published, 'node-2': helper });
    federation.run(2);
    // 8 slots of 200 ms are 40 a second, half of them for each of two peers.
    expect(federation.admitted('node-2')).toBeCloseTo(40, 9);
    expect(federation.served('node-1').forwarded['node-2']).toBeGreaterThan(0);
  });

  it('forgets a dead peer although the clock was set back', () => {
    const federation = new Federation(minute, aligned, published);
    federation.run(2);
    federation.kill('node-3');
    federation.jump(-minute * 90);
    federation.run(1.25);
    expect(federation.route('node-1').peers.map((peer) => peer.id)).not.toContain('node-3');
  });

  it('asks again to be woken when it was woken too early', () => {
    const state = new Federation(minute, aligned, published).state('node-1');
    const event = { kind: 'woken', name: 'step' } as const;
    const { effects } = recalc.step(state, event, { now: aligned + 29_999, random: () => 0 });
    expect(effects).toEqual([{ kind: 'wake', at: aligned + 30_000, name: 'step' }]);
  });

  it('comes to the same weights again after its clock was set back', () => {
    const federation = new Federation(minute, aligned, published);
    federation.run(2);
    federation.jump(-minute * 90);
    federation.run(3);
    expect(federation.served('node-1').lost).toBeCloseTo(0, 9);
  });
});

const expectRoom = (federation: Federation, name: string): void => {
  const { view, userRates } = federation.state(name);
  for (const [key, seen] of Object.entries(view.functions)) {
    const users = Reflect.get(userRates, key) as number;
    const free = Math.max(0, (seen.maxRate ?? 0) - users);
    expect(federation.admitted(name)).toBeLessThanOrEqual(free + 1e-6);
  }
};
