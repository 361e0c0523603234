import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alertedReplicas } from './alert.ts';

const scale = (min?: number, max?: number, factor?: number): Record<string, string> =>
  Object.fromEntries(
    Object.entries({ min, max, factor })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [`com.openfaas.scale.${name}`, String(value)]),
  );

describe('what an alert asks for', () => {
  it.each([
    ['firing', 1, scale(), 2],
    ['firing', 5, scale(), 5],
    ['firing', 9, scale(), 9],
    ['firing', 2, scale(1, 20, 20), 6],
    ['firing', 19, scale(1, 20, 20), 20],
    ['firing', 3, scale(1, 7, 50), 7],
    ['firing', 3, scale(2, 10, 0), 2],
    ['resolved', 9, scale(2, 10), 2],
    ['resolved', 3, scale(), 1],
    ['firing', 3, scale(4, 4), 3],
    ['resolved', 3, scale(4, 4), 3],
    ['firing', 1, { 'com.openfaas.scale.max': 'many' }, 2],
  ] as const)('%s, %i replicas, %j: %i', (status, replicas, labels, wanted) => {
    expect(alertedReplicas({ status, replicas, nodes: 1, labels })).toBe(wanted);
  });

  it.each([
    ['firing', 3, scale(), 5],
    ['firing', 14, scale(), 15],
    ['resolved', 9, scale(2, 10), 6],
    ['resolved', 9, scale(), 3],
    ['firing', 12, scale(4, 4), 12],
  ] as const)('of three nodes together: %s, %i replicas, %j: %i', (status, replicas, labels, wanted) => {
    expect(alertedReplicas({ status, replicas, nodes: 3, labels })).toBe(wanted);
  });

  it('never exceeds the most nor goes below the least, and fires upwards', () => {
    const small = fc.integer({ min: 1, max: 50 });
    fc.assert(
      fc.property(small, small, fc.integer({ min: 1, max: 100 }), fc.nat(50), (min, more, factor, above) => {
        const max = min + more;
        const replicas = Math.min(max, min + above);
        const labels = scale(min, max, factor);
        const wanted = alertedReplicas({ status: 'firing', replicas, nodes: 1, labels });
        expect(wanted).toBeLessThanOrEqual(max);
        expect(wanted).toBeGreaterThanOrEqual(replicas);
        if (replicas < max) expect(wanted).toBeGreaterThan(replicas);
        expect(alertedReplicas({ status: 'resolved', replicas, nodes: 1, labels })).toBe(min);
      }),
    );
  });
});
