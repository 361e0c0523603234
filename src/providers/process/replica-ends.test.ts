import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FunctionRef } from '../../domain/function.ts';
import type { ReplicaLine } from '../provider.ts';
import type { ProcessProvider } from './process-provider.ts';
import {
  call,
  classicBundle,
  collect,
  eventually,
  httpBundle,
  makeProvider,
  nodeBundle,
  type Bench,
} from './provider.testing.ts';

const ref: FunctionRef = { name: 'fn', namespace: 'openfaas-fn' };

let bench: Bench;
let provider: ProcessProvider;

beforeEach(async () => {
  bench = await makeProvider();
  provider = bench.provider;
});

afterEach(() => bench.close());

const lines = async (instance?: string): Promise<readonly ReplicaLine[]> =>
  collect(
    provider.logs(ref, { signal: new AbortController().signal, ...(instance === undefined ? {} : { instance }) }),
  );
const ours = async (instance?: string): Promise<readonly string[]> =>
  (await lines(instance)).map(({ text }) => text).filter((text) => text.startsWith('skein: '));

const server = `import { createServer } from 'node:http';
  const server = createServer((request, response) => {
    response.end('well');
    if (request.url === '/stop') server.close();
    if (request.url === '/crash') process.stdout.write('half a line', () => process.exit(3));
  }).listen(process.env.PORT);
  setInterval(() => {}, 1000);`;

it.each([
  ['node', nodeBundle('export default () => new Response()')],
  ['http', httpBundle(server)],
  ['classic', classicBundle('cat')],
])('a replica of %s mode that somebody ended says so in its log, once and with the time', async (_, files) => {
  const beganMs = Date.now();
  await provider.deploy(await bench.spec(ref, '1', files), 1);
  const [replica] = provider.replicas();
  process.kill(replica?.pid ?? 0, 'SIGKILL');
  await eventually(async () => (await ours()).length > 0);
  await eventually(() => provider.replicas().some(({ id }) => id !== replica?.id));
  await provider.remove(ref);
  expect(await ours()).toEqual(['skein: the replica was ended by SIGKILL']);
  const last = (await lines(replica?.id)).at(-1);
  expect(last?.text).toBe('skein: the replica was ended by SIGKILL');
  expect(Date.parse(last?.timestamp ?? '')).toBeGreaterThanOrEqual(beganMs);
  expect(Date.parse(last?.timestamp ?? '')).toBeLessThanOrEqual(Date.now());
});

it('begins a line of its own where the replica did not end its last', async () => {
  await provider.deploy(await bench.spec(ref, '1', httpBundle(server)), 1);
  const [replica] = provider.resolve(ref);
  await call(replica, { path: '/crash' }).catch(() => {});
  await eventually(async () => (await ours(replica?.id)).length > 0);
  expect((await lines(replica?.id)).map(({ text }) => text)).toEqual([
    'half a line',
    'skein: the replica exited with code 3',
  ]);
});

it('tells why a replica was replaced that lives', async () => {
  await provider.deploy(await bench.spec(ref, '1', httpBundle(server)), 1);
  const [replica] = provider.resolve(ref);
  await call(replica, { path: '/stop' });
  await eventually(async () => {
    await provider.checkHealth();
    return provider.resolve(ref).every(({ id }) => id !== replica?.id);
  });
  await provider.remove(ref);
  expect(await ours()).toEqual(['skein: the replica stopped accepting connections; it is ended, and another started']);
});

it('tells why a replica did not start', async () => {
  const bundle = httpBundle("console.log('no licence'); process.exit(3);");
  await expect(provider.deploy(await bench.spec(ref, '1', bundle), 1)).rejects.toThrow(
    'the program exited with code 3 before it was ready; its last lines: no licence',
  );
  await provider.scale(ref, 0);
  expect((await lines()).map(({ text }) => text).slice(0, 2)).toEqual([
    'no licence',
    'skein: the replica did not start: the program exited with code 3 before it was ready',
  ]);
});

it('says nothing of replicas that are no longer wanted', async () => {
  await provider.deploy(await bench.spec(ref, '1', nodeBundle('export default () => new Response()')), 2);
  await provider.scale(ref, 1);
  await provider.update(await bench.spec(ref, '2', httpBundle(server)));
  await provider.remove(ref);
  expect(await ours()).toEqual([]);
});
