import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { losses } from './outcome.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation } from './federation.fixture.ts';
import { until } from './until.ts';

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('burn');
  federation = await Federation.start({ slots: [4, 8, 16] });
  await federation.deploy(bundles, 'burn');
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

/** Of 400 ms each: what node-1 (4 slots) and node-2 (8) carry without node-3, and what they cannot. */
const withoutIt = 22;
const notWithoutIt = 36;

test('a node that is killed costs only the calls in flight at it, and takes load again once it is restarted', async () => {
  const victim = federation.node(3);
  const target = `${federation.node(1).url}/function/burn?sleep=400`;
  const servesSome = () =>
    until(
      `${victim.name} serves calls of the others`,
      async () => {
        const { nodes } = await runLoad({ target, rate: notWithoutIt, durationMs: 1_000 });
        return (nodes[victim.name]?.served ?? 0) > 0;
      },
      60_000,
    );
  await servesSome();

  let killed = false;
  const result = await runLoad(
    { target, rate: withoutIt, durationMs: 7_000 },
    {
      onProgress: ({ elapsedMs }) => {
        if (killed || elapsedMs < 1_900) return;
        killed = true;
        victim.kill();
      },
    },
  );
  expect(killed).toBe(true);
  // Its slots, and those that were on their way to it.
  const most = victim.slots + 8;
  expect(result.failed, JSON.stringify(losses(result))).toBeLessThanOrEqual(most);
  expect(result.unsent).toBe(0);
  const later = result.perSecond.filter(({ second }) => second >= 4);
  expect(later.map(({ failed }) => failed)).toEqual(later.map(() => 0));

  await victim.restart();
  await federation.whole();
  await federation.everywhere('burn');
  await servesSome();
});
