import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../e2e/until.ts';
import { FaasCli } from './faas-cli.ts';
import { startGateways, type Running } from './federation.fixture.ts';

const golden = join(import.meta.dirname, '../../golden/faas-cli.txt');

let running: Running;

beforeAll(async () => {
  running = await startGateways();
}, 120_000);

afterAll(async () => running?.end(), 60_000);

/** As Go writes what is empty. */
const deployment = (service: string, image: string, more: object = {}) => ({
  service,
  image,
  network: '',
  envProcess: '',
  envVars: {},
  constraints: ['skein.node==node-1'],
  secrets: [],
  labels: {},
  annotations: {},
  ...more,
});

const secret = (value?: string) => ({
  name: 'api-key',
  namespace: 'openfaas-fn',
  ...(value !== undefined && { value }),
});

const namespace = (annotations: object = {}) => ({ name: 'staging', annotations, labels: { openfaas: '1' } });

it('faas-cli is answered as the transcript says, command by command', async () => {
  const { one } = running;
  const cli = new FaasCli(one);
  await cli.login(`Basic ${Buffer.from('admin:wrong').toString('base64')}`);
  await cli.login(one.authorization);
  await cli.list();
  await cli.one('version', 'GET', '/system/info');

  await cli.one('secret create api-key', 'POST', '/system/secrets', secret('one'));
  await cli.one('secret create api-key', 'POST', '/system/secrets', secret('one'));
  await cli.one('secret list', 'GET', '/system/secrets?namespace=openfaas-fn');
  await cli.one('secret update api-key', 'PUT', '/system/secrets', secret('two'));

  await cli.deploy('deploy --name echo --image cat:latest', deployment('echo', 'cat:latest'));
  await cli.ready('echo');
  await cli.invoke('echo', 'hello');
  await callLater(cli);
  await measured(2);
  await cli.list();
  await cli.describe('echo');
  await cli.logs('echo', 4);
  await cli.deploy('store deploy figlet', deployment('figlet', 'ghcr.io/openfaas/figlet:latest'));
  await cli.invoke('figlet', 'hello');
  await cli.describe('figlet');
  const changed = { envProcess: 'sha512sum', secrets: ['api-key'], labels: { canary: 'true' } };
  await cli.deploy('deploy -f stack.yml', deployment('echo', 'cat:latest', changed));
  await until('the new one answers', async () => (await one.call('echo', { body: 'x' })).text.length > 100);
  await cli.one('scale echo --replicas 2', 'POST', '/system/scale-function/echo', {
    serviceName: 'echo',
    replicas: 2,
    namespace: 'openfaas-fn',
  });

  const path = '/system/namespace/staging';
  await cli.one('namespace create staging', 'POST', '/system/namespace/', namespace());
  await cli.one('namespace create staging', 'POST', '/system/namespace/', namespace());
  await cli.one('namespace get staging', 'GET', path);
  await cli.one('namespace update staging', 'PUT', path, namespace({ owner: 'team-a' }));
  await cli.one('namespace get staging', 'GET', path);
  await cli.one('namespaces', 'GET', '/system/namespaces');
  await cli.deploy('deploy --namespace staging', deployment('echo', 'cat:latest', { namespace: 'staging' }));
  await cli.ready('echo', '?namespace=staging');
  await cli.list('?namespace=staging');
  await cli.one('namespace delete staging', 'DELETE', path, namespace());
  await cli.one('remove echo --namespace staging', 'DELETE', '/system/functions', {
    functionName: 'echo',
    namespace: 'staging',
  });
  await cli.one('namespace delete staging', 'DELETE', path, namespace());

  await cli.one('remove echo', 'DELETE', '/system/functions', { functionName: 'echo', namespace: 'openfaas-fn' });
  await cli.one('remove echo', 'DELETE', '/system/functions', { functionName: 'echo', namespace: 'openfaas-fn' });
  await cli.one('secret remove api-key', 'DELETE', '/system/secrets', secret());
  await cli.one('secret remove api-key', 'DELETE', '/system/secrets', secret());
  await cli.list();

  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, cli.transcript);
  const hint = 'run with UPDATE_GOLDEN=1 and look at what changed in test/golden/faas-cli.txt';
  expect(cli.transcript, hint).toBe(readFileSync(golden, 'utf8'));
});

/** `invoke --async`, until its callback has come. */
const callLater = async (cli: FaasCli): Promise<void> => {
  const receiver = createServer((request, response) => request.resume().on('end', () => response.end()));
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const called = once(receiver, 'request');
  const { port } = receiver.address() as AddressInfo;
  await cli.invoke('echo', 'later', ' --async', { 'x-callback-url': `http://127.0.0.1:${port}/` });
  await called;
  receiver.close();
};

/** Nodes count what they carry, and read what functions use, now and then. */
const measured = (calls: number): Promise<unknown> =>
  until('the calls are counted, and what they use is measured', async () => {
    const { invocationCount, usage } = await running.one.status('echo', '?usage=1');
    return invocationCount === calls && usage !== undefined;
  });
