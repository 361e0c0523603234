import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { HotSpot, withoutIt } from './hot-spot.ts';
import { losses } from './outcome.ts';

let spot: HotSpot;

beforeAll(async () => {
  spot = await HotSpot.start();
});

afterAll(() => spot?.end());

/** From its death on, in which the others notice and finish what they had begun. */
const noticedMs = 2_000;

test('a node that is killed costs only the calls in flight at it, and takes load again once it is restarted', async () => {
  const { target, third: victim } = spot;
  await spot.shared();

  let killedAtMs: number | undefined;
  const result = await runLoad(
    { target, rate: withoutIt, durationMs: 8_000 },
    {
      onProgress: ({ elapsedMs }) => {
        if (killedAtMs !== undefined || elapsedMs < 1_900) return;
        victim.kill();
        // On a busy machine killing takes its time, and this is told late.
        killedAtMs = elapsedMs;
      },
    },
  );
  // Its slots, and those that were on their way to it.
  const most = victim.slots + 8;
  expect(result.failed, JSON.stringify(losses(result))).toBeLessThanOrEqual(most);
  expect(result.unsent).toBe(0);
  const from = (killedAtMs! + noticedMs) / 1_000;
  const later = result.perSecond.filter(({ second }) => second >= from);
  expect(later.length, 'it was killed too late to tell').toBeGreaterThan(0);
  expect(later.map(({ failed }) => failed)).toEqual(later.map(() => 0));

  await victim.restart();
  await spot.federation.whole();
  await spot.federation.everywhere('burn');
  await spot.shared();
});
