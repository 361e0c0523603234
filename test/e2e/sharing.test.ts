import { afterAll, beforeAll, expect, test } from 'vitest';
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
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('burn');
  federation = await Federation.start({ slots: [4, 8, 8] });
  await federation.deploy(bundles, 'burn');
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

test('three nodes, one asked for almost four times what it can, lose no request from the first second on, and each serves some', async () => {
  const result = await runLoad({ target: `${federation.node(1).url}/function/burn?sleep=${sleepMs}`, ...load });
  expect(losses(result)).toEqual({});
  expect(Object.keys(result.nodes).sort()).toEqual(['node-1', 'node-2', 'node-3']);
});
