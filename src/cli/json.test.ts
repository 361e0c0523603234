import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commands } from './commands.ts';
import { commandTree, leavesOf } from './completion/command-tree.ts';
import { runSkein } from './testing/run-skein.ts';

const figlet = { name: 'figlet', image: 'figlet:latest' };
const node = { node: 'node-1', state: 'ready', replicas: 1, availableReplicas: 1, invocationCount: 0 };
const line = { name: 'figlet', namespace: 'n', instance: 'node-1/a', timestamp: '2026-01-01T00:00:00Z', text: 'hello' };

const answers: Readonly<Record<string, unknown>> = {
  '/system/functions': [figlet],
  '/system/function/figlet': { ...figlet, nodes: [node] },
  '/system/overrides/figlet': [],
  '/system/secrets': [{ name: 'key' }],
  '/system/namespaces': ['openfaas-fn'],
  '/system/namespace/team': { name: 'team', labels: {}, annotations: {} },
  '/system/queue': [],
  '/system/queue/dead': [],
  '/system/federation': {
    self: { id: 'a', name: 'node-1' },
    strategy: 'least-loaded',
    plan: { version: 1 },
    catalogue: { records: 0, tombstones: 0, counter: 0 },
    traffic: { entered: 0, served: 0, forwardedOut: 0, forwardedIn: 0, rejected: 0 },
    members: [],
  },
};

let server: Server;
let gateway = '';
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-json-'));
  writeFileSync(join(folder, 'handler.js'), "export default () => new Response('hi');\n");
  server = createServer((request, response) => {
    const path = request.url?.split('?')[0] ?? '';
    request.resume().on('end', () => {
      if (path === '/system/logs') response.end(`${JSON.stringify(line)}\n${JSON.stringify(line)}\n`);
      else response.end(JSON.stringify(answers[path] ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gateway = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** What has no data to print: it runs until it is told to stop, or prints what a shell reads. */
const without = new Set(['up', 'node', 'completion']);

const lines = (): readonly string[] => [
  'down',
  'status',
  'build . --out f.tar.gz',
  'deploy figlet --image figlet --wait',
  'list',
  'describe figlet',
  'invoke figlet --body x',
  'remove figlet',
  'override set figlet a --label x=y',
  'override list figlet',
  'override remove figlet a',
  'logs figlet',
  'scale figlet 1',
  'secret create key --from-file handler.js',
  'secret update key --from-file handler.js',
  'secret list',
  'secret remove key',
  'namespace list',
  'namespace create team',
  'namespace describe team',
  'namespace update team',
  'namespace remove team',
  'queue list',
  'queue dead',
  'queue replay 1',
  'queue drop 1',
  `load ${gateway}/ --rate 20 --duration 100ms`,
  'config print',
  'config reference',
];

test.each(['up', 'node', 'completion bash'])('%s refuses --json wherever it stands', async (text) => {
  const words = text.split(' ');
  expect(await runSkein(['--json', ...words])).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('--json'),
  });
  expect(await runSkein([...words, '--json'])).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('--json'),
  });
});

test('every command that prints data has --json and prints one document with it (logs: one a line)', async () => {
  const leaves = leavesOf(await commandTree(commands)).filter(({ path }) => !without.has(path));
  const untried = leaves.filter(({ path }) => !lines().some((line) => `${line} `.startsWith(`${path} `)));
  expect(untried.map(({ path }) => path)).toEqual([]);
  for (const text of lines()) {
    const run = { cwd: folder, env: { SKEIN_GATEWAY: gateway, SKEIN_DATA: join(folder, 'data') } };
    const { code, out, err } = await runSkein([...text.split(' '), '--json'], run);
    expect({ code, err }, text).toEqual({ code: 0, err: '' });
    const documents = out.trimEnd().split('\n');
    expect(documents.length, text).toBe(text.startsWith('logs') ? 2 : 1);
    for (const document of documents) expect(typeof JSON.parse(document), text).toBe('object');
  }
}, 180_000);
