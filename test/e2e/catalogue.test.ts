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
  federation = await Federation.start({ slots: [4, 4, 4] });
  await bundles.push('mirror', federation.node(1).client());
});

afterAll(async () => {
  await bundles?.remove();
  await federation?.end();
});

/** All nodes hold the same records. */
const converged = (): Promise<boolean> =>
  until('the catalogues agree', async () => {
    const seen = await Promise.all(
      federation.nodes.map(async (node) => JSON.stringify((await node.client().list()).map(({ name }) => name))),
    );
    return new Set(seen).size === 1;
  });

test('what is deployed at one node can be called at all within seconds, and what is deleted at none', async () => {
  const home = federation.node(3);
  const begin = performance.now();
  await home.client().deploy({ service: 'wandering', image: 'mirror' });
  for (const node of federation.nodes) {
    await until(`${node.name} answers for it`, async () => (await node.call('wandering')).status === 200);
  }
  console.info(`deployed to answering at three nodes: ${Math.round(performance.now() - begin)} ms`);
  const ended = performance.now();
  await federation.node(2).client().remove('wandering');
  for (const node of federation.nodes) {
    await until(`${node.name} has forgotten it`, async () => (await node.call('wandering')).status === 404);
  }
  console.info(`deleted to unknown at three nodes: ${Math.round(performance.now() - ended)} ms`);
});

test('a node that was away during deploys and deletes catches up, and brings nothing back that was deleted', async () => {
  const [one, away, three] = [federation.node(1), federation.node(2), federation.node(3)];
  await one.client().deploy({ service: 'doomed', image: 'mirror' });
  await one.client().deploy({ service: 'changed', image: 'mirror', envVars: { VERSION: 'old' } });
  for (const node of federation.nodes) {
    await until(`${node.name} has both`, async () => (await node.client().list()).length === 2);
  }
  away.kill();
  await three.client().remove('doomed');
  await three.client().deploy({ service: 'changed', image: 'mirror', envVars: { VERSION: 'new' } });
  await one.client().deploy({ service: 'late', image: 'mirror' });

  await away.restart();
  await federation.whole();
  await until('node-2 has caught up', async () => {
    const names = (await away.client().list()).map(({ name }) => name);
    return names.join() === 'changed,late';
  });
  await converged();
  for (const node of federation.nodes) {
    expect((await node.client().list()).map(({ name }) => name)).toEqual(['changed', 'late']);
    // The data plane follows the catalogue.
    await until(`${node.name} has forgotten it`, async () => (await node.call('doomed')).status === 404);
    await until(`${node.name} runs the new version`, async () => {
      const { version } = (await (await node.call('changed')).json()) as { version: string };
      return version === 'new' && (await node.call('late')).status === 200;
    });
  }
});

test('what was answered with 202 is there after the node is killed in that moment', async () => {
  const node = federation.node(1);
  for (const round of [1, 2]) {
    await node.client().deploy({ service: `kept-${round}`, image: 'mirror', envVars: { VERSION: String(round) } });
    node.kill();
    await node.restart();
    const kept = await node.client().describe(`kept-${round}`);
    expect(kept.envVars).toEqual({ VERSION: String(round) });
    await until('it answers', async () => (await node.call(`kept-${round}`)).status === 200);
  }
});

test('an update costs no call, whether of the environment or of the code, and then only the new version answers', async () => {
  await federation.deployAs(bundles, { service: 'changing', image: 'mirror', envVars: { VERSION: '1' } });
  await federation.everywhere('changing');
  const stop = new AbortController();
  const body = Buffer.from('as it is');
  const loading = runLoad(
    { target: `${federation.node(1).url}/function/changing`, rate: 40, durationMs: 60_000, body },
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
