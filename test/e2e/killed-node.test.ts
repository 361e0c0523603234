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

test('a node that is killed costs only the calls in flight at it, and takes load again once it is restarted', async () => {
  const victim = federation.node(2);
  const target = `${federation.node(1).url}/function/burn?sleep=100`;
  const killAtMs = 2_500;
  let killed = false;
  const result = await runLoad(
    { target, rate: 100, durationMs: 7_000 },
    {
      onProgress: ({ elapsedMs, succeeded }) => {
        if (killed || elapsedMs < killAtMs - 600 || succeeded === 0) return;
        killed = true;
        victim.kill();
      },
    },
  );
  expect(killed).toBe(true);
  expect(result.nodes[victim.name]?.served).toBeGreaterThan(0);
  // Its slots, and those that were on their way to it.
  const most = victim.slots + 8;
  expect(result.failed, JSON.stringify(losses(result))).toBeLessThanOrEqual(most);
  expect(result.unsent).toBe(0);
  const later = result.perSecond.filter(({ second }) => second >= 4);
  expect(later.map(({ failed }) => failed)).toEqual(later.map(() => 0));

  await victim.restart();
  await federation.whole();
  await federation.everywhere('burn');
  await until('the restarted node serves calls of the others', async () => {
    const again = await runLoad({ target, rate: 100, durationMs: 1_000 });
    expect(losses(again)).toEqual({});
    return (again.nodes[victim.name]?.served ?? 0) > 0;
  });
});
