import { afterAll, beforeAll, expect, test } from 'vitest';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { losses } from './outcome.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation } from './federation.fixture.ts';
import { until } from './until.ts';

let bundles: Bundles;
let federation: Federation;

beforeAll(async () => {
  bundles = await Bundles.build('mirror', 'echo');
  federation = await Federation.start({ slots: [4, 8, 16] });
  await federation.deployAs(bundles, { service: 'changing', image: 'mirror', envVars: { VERSION: '1' } });
  await federation.everywhere('changing');
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

test('an update costs no call, whether of the environment or of the code, and then only the new version answers', async () => {
  const first = federation.node(1);
  const stop = new AbortController();
  const body = Buffer.from('as it is');
  const loading = runLoad(
    { target: `${first.url}/function/changing`, rate: 40, durationMs: 60_000, body },
    { signal: stop.signal },
  );
  const versions = async (count: number): Promise<ReadonlySet<string>> => {
    const texts: string[] = [];
    for (const node of federation.nodes) {
      for (let call = 0; call < count; call += 1) {
        const answer = await node.call('changing', { method: 'POST', body });
        const text = await answer.text();
        texts.push(text.startsWith('{') ? (JSON.parse(text) as { version: string }).version : text);
      }
    }
    return new Set(texts);
  };
  const onlyAnswer = async (version: string): Promise<void> => {
    await until(`every node answers with ${version}`, async () => {
      const found = await versions(1);
      return found.size === 1 && found.has(version);
    });
    await until(`no node answers with another than ${version}`, async () => {
      const found = await versions(15);
      return found.size === 1 && found.has(version);
    });
  };

  await onlyAnswer('1');
  await federation.deployAs(
    bundles,
    { service: 'changing', image: 'mirror', envVars: { VERSION: '2' } },
    federation.node(2),
  );
  await onlyAnswer('2');
  await federation.deployAs(bundles, { service: 'changing', image: 'echo' }, federation.node(3));
  await onlyAnswer('as it is');

  stop.abort();
  const result = await loading;
  expect(result.sent).toBeGreaterThan(30);
  expect(losses(result)).toEqual({});
});
