import { describe, expect, test } from 'vitest';
import { nothingObserved, type FunctionObservation, type Observation } from '../dataplanes/data-plane.ts';
import { functionKey, nodeId } from '../domain/ids.ts';
import { Rates } from './rates.ts';

const key = functionKey('burn');
const peer = nodeId('peer');

const observation = (at: number, counts: Partial<FunctionObservation>, since = 0): Observation => ({
  at,
  since,
  planVersion: 1,
  inFlight: 0,
  queued: 0,
  peers: {},
  functions: {
    [key]: { ...nothingObserved, ...counts },
  },
});

describe('rates', () => {
  test('are differences over about a second', () => {
    const rates = new Rates();
    for (let step = 0; step <= 8; step += 1) {
      const calls = step * 25;
      rates.add(
        observation(step * 250, {
          entered: calls,
          served: calls / 5,
          rejected: { full: step },
          received: { [peer]: step * 2 },
        }),
      );
    }
    expect(rates.of(key)).toEqual({ entered: 100, served: 20, rejected: 4, received: { [peer]: 8 } });
  });

  test('forget what was longer ago', () => {
    const rates = new Rates();
    rates.add(observation(0, { entered: 1_000_000 }));
    rates.add(observation(5_000, { entered: 1_000_000 }));
    rates.add(observation(6_000, { entered: 1_000_010 }));
    expect(rates.of(key).entered).toBe(10);
  });

  test('are nothing after a data plane started anew, and for functions nobody called', () => {
    const rates = new Rates();
    rates.add(observation(0, { entered: 500 }, 0));
    rates.add(observation(1_000, { entered: 3 }, 900));
    expect(rates.of(key).entered).toBe(0);
    expect(rates.of(functionKey('other')).served).toBe(0);
  });
});
