import { describe, expect, test } from 'vitest';
import type { NodeStatus } from '../membership/message.ts';
import { ManualClock } from '../std/clock.ts';
import { StatusTeller } from './status-teller.ts';

const status = (inFlight: number, functions: NodeStatus['functions'] = {}): NodeStatus => ({
  inFlight,
  slots: 10,
  functions,
});

const open = (members = 3) => {
  const clock = new ManualClock();
  const told: NodeStatus[] = [];
  const teller = new StatusTeller({ send: (one) => told.push(one), clock, members: () => members });
  return { clock, told, teller };
};

describe('telling peers how busy a node is', () => {
  test('happens at once, then when a tenth has changed', () => {
    const { clock, told, teller } = open();
    teller.look(status(0));
    clock.advance(100);
    teller.look(status(0));
    teller.look(status(1));
    clock.advance(100);
    teller.look(status(1));
    expect(told.map(({ inFlight }) => inFlight)).toEqual([0, 1]);
  });

  test('does not follow every flicker: a tenth of a second lies between', () => {
    const { clock, told, teller } = open();
    for (let step = 0; step < 100; step += 1) {
      teller.look(status(step % 10));
      clock.advance(10);
    }
    expect(told.length).toBeLessThanOrEqual(11);
  });

  test('happens at least once a second, more rarely in a large federation', () => {
    for (const [members, expected] of [
      [3, 11],
      [200, 6],
    ] as const) {
      const { clock, told, teller } = open(members);
      for (let step = 0; step <= 40; step += 1) {
        teller.look(status(5));
        clock.advance(250);
      }
      expect(told.length).toBe(expected);
    }
  });

  test('happens when the functions change and when somebody came', () => {
    const { clock, told, teller } = open();
    teller.look(status(0));
    clock.advance(200);
    teller.look(status(0, { 'echo.openfaas-fn': { inFlight: 0, limit: 0, replicas: 0 } }));
    teller.repeat();
    teller.look(status(0));
    expect(told.length).toBe(3);
  });
});
