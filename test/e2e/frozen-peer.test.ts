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

const target = (): string => `${federation.node(1).url}/function/burn?sleep=100`;
const seconds = 1_000;

test('a peer that hangs delays calls without a body and loses none, and serves again when it goes on', async () => {
  const frozen = federation.node(2);
  const warm = await runLoad({ target: target(), rate: 90, durationMs: 2_000 });
  expect(losses(warm)).toEqual({});
  expect(warm.nodes[frozen.name]?.served).toBeGreaterThan(0);

  frozen.freeze();
  const during = await runLoad({ target: target(), rate: 90, durationMs: 4_000, timeoutMs: 20 * seconds });
  frozen.thaw();
  expect(losses(during)).toEqual({});
  expect(during.latencyMs.max).toBeLessThan(10 * seconds);

  await federation.whole();
  await until('it serves again', async () => {
    const again = await runLoad({ target: target(), rate: 90, durationMs: 1_000 });
    return (again.nodes[frozen.name]?.served ?? 0) > 0;
  });
});

test('a call whose body went to a peer that hangs ends with 504 at worst', async () => {
  const frozen = federation.node(2);
  frozen.freeze();
  const result = await runLoad({
    target: target(),
    rate: 90,
    durationMs: 4_000,
    body: Buffer.from('short'),
    timeoutMs: 20 * seconds,
  });
  frozen.thaw();
  expect(result.errors).toEqual({});
  expect(Object.keys(result.statuses).filter((code) => code !== '200' && code !== '504')).toEqual([]);
  expect(result.succeeded).toBeGreaterThan(result.sent / 2);
  await federation.whole();
});
