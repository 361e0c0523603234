import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { losses } from './outcome.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation } from './federation.fixture.ts';

/**
 * Fifteen in flight, where node-1 has 4 slots and all have 20, so that neither peer is enough alone. Long calls, so that it is their number that fills the
 * slots and not the speed of the machine.
 */
const load = { rate: 20, durationMs: 4_000 } as const;
const sleepMs = 750;

let bundles: Bundles;
let federation: Federation | undefined;

beforeAll(async () => {
  bundles = await Bundles.build('burn');
});

afterAll(() => bundles.remove());

describe.each([
  ['least-loaded', 'loses no request from the first second on, and every node serves some'],
  ['all-local', 'refuses more than half at once, because it may not share'],
])('three nodes under the strategy %s, node-1 asked for almost four times what it can', (strategy, promise) => {
  beforeAll(async () => {
    federation = await Federation.start({ slots: [4, 8, 8], flags: ['--strategy-name', strategy] });
    await federation.deploy(bundles, 'burn');
  });

  afterAll(async () => {
    await federation?.end();
    federation = undefined;
  });

  test(promise, async () => {
    const target = `${federation!.node(1).url}/function/burn?sleep=${sleepMs}`;
    const result = await runLoad({ target, ...load });
    if (strategy === 'all-local') {
      expect(result.failed).toBeGreaterThan(result.sent / 2);
      expect(result.succeeded).toBeGreaterThan(0);
      expect(result.reasons['full'] ?? 0).toBeGreaterThan(result.failed / 2);
      expect(Object.keys(result.statuses).sort()).toEqual(['200', '503']);
      expect(Object.keys(result.nodes)).toEqual(['node-1']);
      return;
    }
    expect(losses(result)).toEqual({});
    expect(Object.keys(result.nodes).sort()).toEqual(['node-1', 'node-2', 'node-3']);
  });
});
