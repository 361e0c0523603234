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

const target = (): string => `${federation.node(1).url}/function/burn?sleep=400`;
const seconds = 1_000;

const serves = (name: string) =>
  until(
    `${name} serves calls of the others`,
    async () => {
      const { nodes } = await runLoad({ target: target(), rate: notWithoutIt, durationMs: 1_000 });
      return (nodes[name]?.served ?? 0) > 0;
    },
    60_000,
  );

test('a peer that hangs delays calls without a body and loses none, and serves again when it goes on', async () => {
  const frozen = federation.node(3);
  await serves(frozen.name);

  frozen.freeze();
  const during = await runLoad({ target: target(), rate: withoutIt, durationMs: 4_000, timeoutMs: 20 * seconds });
  frozen.thaw();
  expect(losses(during)).toEqual({});
  expect(during.latencyMs.max).toBeLessThan(10 * seconds);

  await federation.whole();
  await serves(frozen.name);
});

test('a call whose body went to a peer that hangs ends with 504 at worst', async () => {
  const frozen = federation.node(3);
  frozen.freeze();
  const result = await runLoad({
    target: target(),
    rate: withoutIt,
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
