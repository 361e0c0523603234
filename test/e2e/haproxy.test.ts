import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { haproxyMayBeAbsent } from '../../src/dataplanes/haproxy/is-there.testing.ts';
import { runLoad } from '../../src/loadtest/run-load.ts';
import { losses } from './outcome.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation, type TestNode } from './federation.fixture.ts';
import { until } from './until.ts';

/** What the node's agent says of its HAProxy. */
const reloads = async ({ metricsUrl }: TestNode): Promise<string> =>
  /^skein_haproxy_reloads_total(?:\{[^}]*\})? (\S+)$/m.exec(await (await fetch(metricsUrl)).text())?.[1] ?? 'unsaid';

describe.skipIf(haproxyMayBeAbsent())('three nodes with HAProxy', () => {
  let bundles: Bundles;
  let federation: Federation;

  beforeAll(async () => {
    bundles = await Bundles.build('burn', 'mirror');
    federation = await Federation.start({
      slots: [4, 8, 8],
      flags: ['--data-plane-kind', 'haproxy', '--log-access', 'on'],
    });
    await federation.deploy(bundles, 'burn');
  });

  afterAll(async () => {
    await bundles?.remove();
    await federation?.end();
  });

  const expectNoReload = async (): Promise<void> => {
    expect(await Promise.all(federation.nodes.map(reloads))).toEqual(['0', '0', '0']);
  };

  test('share what node-1 has no room for, and lose no call', async () => {
    const target = `${federation.node(1).url}/function/burn?sleep=750`;
    // Fifteen in flight, where node-1 has 4 slots and neither peer is enough alone.
    const result = await runLoad({ target, rate: 20, durationMs: 5_000 });
    expect(losses(result)).toEqual({});
    expect(Object.keys(result.nodes).sort()).toEqual(['node-1', 'node-2', 'node-3']);
    await expectNoReload();
  });

  test('each call is written down, also while the agent is gone', async () => {
    const node = federation.node(3);
    const isWritten = (id: string) => (): boolean => {
      const file = join(node.folder, 'access.log');
      return existsSync(file) && readFileSync(file, 'utf8').includes(`"callId":"${id}"`);
    };
    await node.call('burn?sleep=1', { headers: { 'x-call-id': 'with-agent' } });
    await until('a call is written down', isWritten('with-agent'));
    await node.killAgent();
    await node.call('burn?sleep=1', { headers: { 'x-call-id': 'without-agent' } });
    await until('a call without an agent is written down', isWritten('without-agent'));
    await node.restart();
    await federation.whole();
  });

  test('a function is deployed, updated and removed under load without a reload, and no call of another is lost', async () => {
    const stop = new AbortController();
    const target = `${federation.node(1).url}/function/burn?sleep=100`;
    const loading = runLoad({ target, rate: 20, durationMs: 60_000 }, { signal: stop.signal });
    const deployAs = (version: string, at: number): Promise<void> => {
      const deployment = { service: 'coming', image: 'mirror', envVars: { VERSION: version } };
      return federation.deployAs(bundles, deployment, federation.node(at));
    };
    const everyNodeAnswers = async (version: string): Promise<void> => {
      for (const node of federation.nodes) {
        await until(`${node.name} answers with version ${version}`, async () => {
          const answer = await node.call('coming');
          return answer.ok && ((await answer.json()) as { version: string }).version === version;
        });
      }
    };

    await deployAs('1', 1);
    await everyNodeAnswers('1');
    await deployAs('2', 2);
    await everyNodeAnswers('2');
    await federation.node(3).client().remove('coming');
    for (const node of federation.nodes) {
      await until(`${node.name} no longer knows it`, async () => (await node.call('coming')).status === 404);
    }

    stop.abort();
    const result = await loading;
    expect(result.sent).toBeGreaterThan(0);
    expect(losses(result)).toEqual({});
    await expectNoReload();
  });

  test('an agent that is killed costs no call, and the next one adopts HAProxy and its replicas', async () => {
    const node = federation.node(1);
    const stop = new AbortController();
    const target = `${node.url}/function/burn?sleep=400`;
    const loading = runLoad({ target, rate: 15, durationMs: 60_000 }, { signal: stop.signal });
    const { served } = (await node.status()).traffic;
    await until('node-1 serves', async () => (await node.status()).traffic.served > served + 5);
    const [agent, plane, replicas] = [node.agentPid(), node.planePid(), node.replicaPids('burn')];
    expect(replicas.length).toBeGreaterThan(0);

    await node.killAgent();
    for (let call = 0; call < 5; call += 1) expect((await node.call('burn?sleep=200')).status).toBe(200);
    await node.restart();
    expect(node.agentPid()).not.toBe(agent);
    expect(node.planePid()).toBe(plane);
    expect(node.replicaPids('burn').filter((pid) => replicas.includes(pid)).length).toBeGreaterThan(0);
    await federation.whole();

    stop.abort();
    expect(losses(await loading)).toEqual({});
    expect(node.planePid()).toBe(plane);
    // What was counted before the agent died still is.
    expect((await node.status()).traffic.served).toBeGreaterThan(served + 5);
    await expectNoReload();
  });
});
