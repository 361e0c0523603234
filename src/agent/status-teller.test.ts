import { describe, expect, test } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import { decodeMessage, encodeMessage, maxMessageBytes, type NodeStatus } from '../membership/message.ts';
import { ManualClock } from '../std/clock.ts';
import { Neighbours } from './neighbours.ts';
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

  test('happens when a function fails, and when it does no more', () => {
    const { clock, told, teller } = open();
    for (const failing of [[], ['echo.openfaas-fn'], ['echo.openfaas-fn'], []]) {
      teller.look({ ...status(0), ...(failing.length > 0 && { failing }) });
      clock.advance(100);
    }
    expect(told.map(({ failing }) => failing?.length ?? 0)).toEqual([0, 1, 0]);
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

  describe('of thousands of functions', () => {
    const longName = (index: number): string => `${String(index).padStart(5, '0')}${'x'.repeat(58)}.${'y'.repeat(63)}`;
    const many = (count: number, changes: NodeStatus['functions'] = {}): NodeStatus => ({
      ...status(0),
      functions: {
        ...Object.fromEntries(
          Array.from({ length: count }, (_, index) => [longName(index), { inFlight: 0, limit: 1_000, replicas: 12 }]),
        ),
        ...changes,
      },
    });
    /** What one who hears it all knows in the end. */
    const heard = (told: readonly NodeStatus[]): NodeStatus['functions'] => {
      const neighbours = new Neighbours();
      const id = nodeId('a');
      for (const one of told) neighbours.heard(id, decoded(one), 0);
      return neighbours.status(id)!.status.functions;
    };
    const decoded = (one: NodeStatus): NodeStatus => {
      const message = decodeMessage(encodeMessage({ kind: 'status', status: one }));
      if (message?.kind !== 'status') throw new Error('it did not survive the journey');
      return message.status;
    };

    test('fits messages far below their limit, and all is known within seconds of somebody coming', () => {
      const { clock, told, teller } = open();
      const all = many(5_000);
      for (let step = 0; step <= 10; step += 1) {
        teller.look(all);
        clock.advance(250);
      }
      expect(heard(told)).toEqual(all.functions);
      const bytes = told.map((one) => encodeMessage({ kind: 'status', status: one }).length);
      expect(Math.max(...bytes)).toBeLessThan(maxMessageBytes / 4);
    });

    test('a change is told with the next message, whoever’s turn it is', () => {
      const { clock, told, teller } = open();
      for (let step = 0; step <= 10; step += 1) {
        teller.look(many(5_000));
        clock.advance(250);
      }
      const busy = { [longName(4_321)]: { inFlight: 3, limit: 1_000, replicas: 12 } };
      clock.advance(1_000);
      teller.look(many(5_000, busy));
      expect(told.at(-1)!.functions).toMatchObject(busy);
      expect(heard(told)).toEqual(many(5_000, busy).functions);
    });

    test('those that live there no more are forgotten within a round, also when messages are lost', () => {
      const { clock, told, teller } = open();
      const rounds = (all: NodeStatus, steps: number): void => {
        for (let step = 0; step < steps; step += 1) {
          teller.look(all);
          clock.advance(1_000);
        }
      };
      rounds(many(3_000), 12);
      rounds(many(1_200), 6);
      expect(heard(told.filter((_, index) => index !== 13))).toEqual(many(1_200).functions);
      rounds(many(3), 2);
      expect(heard(told)).toEqual(many(3).functions);
    });
  });
});
