import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { HotSpot, withoutIt } from './hot-spot.ts';
import { losses } from './outcome.ts';

let spot: HotSpot;

beforeAll(async () => {
  spot = await HotSpot.start();
});

afterAll(() => spot?.end());

const seconds = 1_000;

/**
 * Calls a second that need more than node-1. Those that the frozen peer did not take come back after a second, all at once: with
 * `withoutIt` of them the others would work off what came back for longer than a call may wait.
 */
const withRoomForMore = 14;

test('a peer that hangs delays calls without a body and loses none, and serves again when it goes on', async () => {
  const { target, third: frozen } = spot;
  await spot.shared();

  frozen.freeze();
  const during = await runLoad({ target, rate: withRoomForMore, durationMs: 4_000, timeoutMs: 20 * seconds });
  frozen.thaw();
  expect(losses(during)).toEqual({});
  expect(during.latencyMs.max).toBeLessThan(10 * seconds);

  await spot.federation.whole();
  await spot.shared();
});

test('a call whose body went to a peer that hangs ends with 504 at worst', async () => {
  const { target, third: frozen } = spot;
  frozen.freeze();
  const result = await runLoad({
    target,
    rate: withoutIt,
    durationMs: 4_000,
    body: Buffer.from('short'),
    timeoutMs: 20 * seconds,
  });
  frozen.thaw();
  expect(result.errors).toEqual({});
  expect(Object.keys(result.statuses).filter((code) => code !== '200' && code !== '504')).toEqual([]);
  expect(result.succeeded).toBeGreaterThan(result.sent / 2);
  await spot.federation.whole();
});
