import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runSkein, type Ran, type RunOptions } from './testing/run-skein.ts';

type Seen = { readonly line: string; readonly user: string | undefined; readonly body: string };

let server: Server;
let gateway = '';
let folder = '';
let seen: Seen[] = [];
/** What the gateway answers, by method and path. */
let answers: Record<string, { readonly status: number; readonly body?: unknown }> = {};

const answer: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { authorization } = request.headers;
    const user = authorization && Buffer.from(authorization.slice('Basic '.length), 'base64').toString();
    const line = `${request.method} ${request.url}`;
    seen.push({ line, user, body: Buffer.concat(chunks).toString('latin1') });
    const found = answers[line] ?? answers[line.split('?')[0]!] ?? { status: 404 };
    response.writeHead(found.status, { 'X-Skein-Node': 'node-1', 'X-Skein-Reason': 'full' });
    response.end(
      typeof found.body === 'string' ? found.body : found.body === undefined ? '' : JSON.stringify(found.body),
    );
  });
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skein-cli-'));
  seen = [];
  answers = {};
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gateway = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  rmSync(folder, { recursive: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const skein = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  runSkein(args, { cwd: folder, ...options, env: { SKEIN_GATEWAY: gateway, ...options.env } });

const atNode = (node: string, state: string) => ({
  node,
  state,
  replicas: 1,
  availableReplicas: 1,
  invocationCount: 7,
  servedCount: 9,
  usage: { cpu: 12.4, totalMemoryBytes: 40 * 1024 ** 2 },
});

const figlet = { name: 'figlet', image: 'figlet:latest', replicas: 2, availableReplicas: 1, invocationCount: 7 };

describe('which gateway, and as whom', () => {
  test('the flag is over SKEIN_GATEWAY, that over OPENFAAS_URL, before or after the command', async () => {
    answers['GET /system/functions'] = { status: 200, body: [figlet] };
    const nowhere = 'http://127.0.0.1:9';
    const both = { SKEIN_GATEWAY: gateway, OPENFAAS_URL: nowhere };
    const env = { SKEIN_GATEWAY: nowhere };
    const runs = [
      await skein(['list'], { env: both }),
      await skein(['list'], { env: { SKEIN_GATEWAY: '', OPENFAAS_URL: `${gateway}/` } }),
      await skein(['list', '--gateway', gateway], { env }),
      await skein(['--gateway', gateway, 'list'], { env }),
    ];
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  });

  test("the password is read from the node's folder, or from the file that is named", async () => {
    answers['GET /system/functions'] = { status: 200, body: [] };
    writeFileSync(join(folder, 'admin-password'), 'one\n');
    writeFileSync(join(folder, 'other'), 'two');
    await skein(['list']);
    await skein(['list', '--data', folder]);
    await skein(['--data', folder, 'list']);
    await skein(['list'], { env: { SKEIN_PASSWORD_FILE: join(folder, 'other') } });
    expect(seen.map(({ user }) => user)).toEqual([undefined, 'admin:one', 'admin:one', 'admin:two']);
  });

  test('says what to do when the password is missing or wrong', async () => {
    answers['GET /system/functions'] = { status: 401, body: 'invalid credentials' };
    const missing = await skein(['list']);
    expect(missing).toMatchObject({ code: 1, out: '' });
    expect(missing.err).toMatch(/^skein: .*asks for a password.*--data.*--password-file\n$/);
    writeFileSync(join(folder, 'admin-password'), 'hunter2');
    const wrong = await skein(['list', '--data', folder]);
    expect(wrong.err).toMatch(/does not accept the password/);
    expect(wrong.err).not.toContain('hunter2');
    expect(await skein(['list', '--password-file', 'absent'])).toMatchObject({ code: 2 });
  });

  test('says what to do when nobody is there', async () => {
    await new Promise((resolve) => server.close(resolve));
    const { code, err } = await skein(['list']);
    expect(code).toBe(1);
    expect(err).toBe(
      `skein: cannot reach ${gateway}: is a node running? start one with \`skein up\`, or name another with --gateway\n`,
    );
  });
});

describe('functions', () => {
  test('are listed for people, for programs and for scripts', async () => {
    answers['GET /system/functions?namespace=a'] = { status: 200, body: [figlet] };
    expect((await skein(['list', '--namespace', 'a'])).out).toBe(
      'NAME    READY  CALLS  IMAGE\nfiglet    1/2      7  figlet:latest\n',
    );
    expect(JSON.parse((await skein(['list', '--namespace', 'a', '--json'])).out)).toEqual([figlet]);
    expect((await skein(['list', '--namespace', 'a', '--quiet'])).out).toBe('figlet\n');
  });

  test('are described', async () => {
    const nodes = [atNode('node-1', 'ready'), { ...atNode('node-2', 'unreachable'), usage: undefined }];
    answers['GET /system/function/figlet'] = { status: 200, body: { ...figlet, labels: { a: 'b' }, nodes } };
    const { out } = await skein(['describe', 'figlet']);
    expect(out).toContain(`url       ${gateway}/function/figlet\n`);
    expect(out).toContain('labels    a=b\n');
    expect(out).toContain(
      'NODE    STATE        READY  SERVED  ENTERED  CPU  MEMORY\nnode-1  ready          1/1       9        7  12m  40 MiB\n',
    );
    expect(out).toMatch(/node-2 {2}unreachable +- +- +- +- +-\n/);
    expect(JSON.parse((await skein(['describe', 'figlet', '--json'])).out)).toMatchObject(figlet);
    expect(await skein(['describe', 'absent'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('no function absent'),
    });
  });

  test('are removed', async () => {
    answers['DELETE /system/functions'] = { status: 202 };
    expect(await skein(['remove', 'a', 'b', '--namespace', 'n'])).toMatchObject({
      code: 0,
      out: 'removed a\nremoved b\n',
    });
    expect(seen.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      { functionName: 'a', namespace: 'n' },
      { functionName: 'b', namespace: 'n' },
    ]);
  });

  test('differ from node to node by overrides', async () => {
    const path = '/system/overrides/figlet';
    const big = { selector: ['skein.node==node-3', 'skein.role!=gpu'], labels: { 'dfaas.maxrate': '24' } };
    answers[`PUT ${path}/big`] = { status: 202 };
    answers[`GET ${path}`] = { status: 200, body: [{ id: 'big', ...big }] };
    answers[`DELETE ${path}/big`] = { status: 202 };
    const selectors = big.selector.flatMap((rule) => ['--selector', rule]);
    const wish = ['override', 'set', 'figlet', 'big', ...selectors, '--label', 'dfaas.maxrate=24'];
    expect(await skein([...wish, '--namespace', 'n'])).toMatchObject({ code: 0, out: 'set override big of figlet\n' });
    expect(seen.at(-1)?.line).toBe(`PUT ${path}/big?namespace=n`);
    expect(JSON.parse(seen.at(-1)?.body ?? '')).toEqual(big);
    expect((await skein(['override', 'list', 'figlet'])).out).toMatch(
      /big +skein\.node==node-3, .*dfaas\.maxrate=24 +- +-\n/,
    );
    expect((await skein(['override', 'list', 'figlet', '--quiet'])).out).toBe('big\n');
    expect(await skein(['override', 'remove', 'figlet', 'big'])).toMatchObject({ code: 0 });
    expect(seen.at(-1)?.line).toBe(`DELETE ${path}/big`);
    expect(await skein(['override', 'list', 'absent'])).toMatchObject({ code: 1 });
    expect(await skein(['override', 'set', 'figlet', 'big'])).toMatchObject({ code: 2 });
  });

  test('are deployed by image: updated where there is one, else made', async () => {
    answers['POST /system/functions'] = { status: 202 };
    const args = ['deploy', 'greet', '--image', 'team/hello:1', '--env', 'A=b=c', '--label', 'dfaas.maxrate=5'];
    const made = await skein([...args, '--constraint', 'skein.node==node-2', '--json']);
    expect(made.code).toBe(0);
    expect(JSON.parse(made.out)).toEqual([
      { name: 'greet', image: 'team/hello:1', outcome: 'deployed', url: `${gateway}/function/greet` },
    ]);
    expect(seen.map(({ line }) => line)).toEqual([
      'PUT /system/functions',
      'POST /system/functions',
      'GET /system/function/greet?usage=1&nodes=1',
    ]);
    expect(JSON.parse(seen[1]!.body)).toEqual({
      service: 'greet',
      image: 'team/hello:1',
      envVars: { A: 'b=c' },
      labels: { 'dfaas.maxrate': '5' },
      constraints: ['skein.node==node-2'],
    });
    answers['PUT /system/functions'] = { status: 202 };
    expect((await skein(args)).out).toMatch(/^updated greet /);
  });

  test('one that turns out not to start is deployed, with a warning that says where and why', async () => {
    answers['PUT /system/functions'] = { status: 202 };
    const ill = (node: string) => ({ ...atNode(node, 'starting'), problem: 'no licence' });
    const nodes = [ill('node-1'), ill('node-2'), atNode('node-3', 'ready')];
    answers['GET /system/function/a'] = { status: 200, body: { ...figlet, nodes } };
    const why = 'node-1, node-2: no licence';
    const { code, out, err } = await skein(['deploy', 'a', '--image', 'a']);
    expect({ code, err }).toEqual({ code: 0, err: `skein: a is deployed, but does not start at ${why}\n` });
    expect(out).toMatch(/^updated a /);
    const { out: json } = await skein(['deploy', 'a', '--image', 'a', '--json']);
    expect(JSON.parse(json)).toMatchObject([{ name: 'a', outcome: 'updated', problem: why }]);
  });

  test('one that cannot be deployed keeps no other of its file from it', async () => {
    answers['PUT /system/functions'] = { status: 202 };
    writeFileSync(
      join(folder, 'stack.yml'),
      'functions:\n  a: {image: a}\n  b: {handler: ./absent}\n  c: {image: c}\n',
    );
    const { code, out, err } = await skein(['deploy', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject([
      { name: 'a', outcome: 'updated' },
      { name: 'b', outcome: 'failed', error: expect.stringContaining('absent') },
      { name: 'c', outcome: 'updated' },
    ]);
    expect(err).toMatch(/^skein: b: There is no folder .*\nskein: 1 of 3 failed: b\n$/);
    const built = await skein(['build', '-f', 'stack.yml', '--json']);
    expect({ ...built, out: JSON.parse(built.out) as unknown }).toMatchObject({
      code: 1,
      out: [{ name: 'b', outcome: 'failed' }],
    });
    const removed = await skein(['remove', 'a', 'c', '--json']);
    expect(JSON.parse(removed.out)).toHaveLength(2);
    expect(removed).toMatchObject({ code: 1, err: expect.stringContaining('2 of 2 failed: a, c') });
  });

  test("a refusal comes with the gateway's own words", async () => {
    answers['PUT /system/functions'] = { status: 400, body: 'image x is not known: build it\n' };
    expect(await skein(['deploy', 'x', '--image', 'x'])).toMatchObject({
      code: 1,
      err: 'skein: image x is not known: build it\n',
    });
  });

  test('a folder is built and stored before it is deployed', async () => {
    answers['PUT /system/functions'] = { status: 202 };
    answers['GET /system/function/hello'] = { status: 200, body: { ...figlet, nodes: [atNode('node-1', 'ready')] } };
    writeFileSync(join(folder, 'handler.js'), "export default () => new Response('hi');\n");
    const built = await skein(['build', '.', '--image', 'hello', '--out', 'hello.tgz', '--json']);
    expect(built).toMatchObject({ code: 0, err: '' });
    const { digest, image } = JSON.parse(built.out) as { readonly digest: string; readonly image: string };
    expect(image).toBe('hello:latest');
    answers[`PUT /system/bundles/${digest}`] = { status: 201 };
    rmSync(join(folder, 'hello.tgz'));
    const deployed = await skein(['deploy', '.', '--name', 'hello', '--wait', '--timeout', '20s']);
    expect(deployed).toMatchObject({ code: 0, err: '' });
    expect(seen.map(({ line }) => line)).toEqual([
      `PUT /system/bundles/${digest}?image=hello%3Alatest`,
      'PUT /system/functions',
      'GET /system/function/hello?usage=1&nodes=1',
    ]);
    expect(seen[0]!.body.startsWith('\u001F\u008B')).toBe(true);
  });

  test('a stack.yml deploys all its functions, with the options over it', async () => {
    answers['PUT /system/functions'] = { status: 202 };
    writeFileSync(
      join(folder, 'stack.yml'),
      'version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n  a:\n    image: a:1\n    environment:\n      X: file\n      Y: file\n  b:\n    image: b:1\n',
    );
    expect(await skein(['deploy', 'stack.yml', '--env', 'X=flag', '--quiet'])).toEqual({ code: 0, out: '', err: '' });
    expect(seen.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
      { service: 'a', image: 'a:1', envVars: { X: 'flag', Y: 'file' } },
      { service: 'b', image: 'b:1', envVars: { X: 'flag' } },
    ]);
    expect(await skein(['deploy', 'stack.yml', '--name', 'c'])).toMatchObject({ code: 2 });
  });
});

describe('a stack.yml', () => {
  const stack = (gateway: string): void =>
    writeFileSync(
      join(folder, 'stack.yml'),
      `provider: {name: openfaas, gateway: '${gateway}'}
configuration: {copy: [x]}
functions:
  api-a: {image: a:1, secrets: [one]}
  api-b: {image: b:1, namespace: team}
  sum: {handler: ./sum, fprocess: sha512sum}
`,
    );

  test('chooses functions for deploy, list, describe and remove, and tells once what it says in vain', async () => {
    stack('http://127.0.0.1:8080');
    answers['PUT /system/functions'] = { status: 202 };
    answers['DELETE /system/functions'] = { status: 202 };
    answers['GET /system/functions'] = { status: 200, body: [{ ...figlet, name: 'api-a' }, figlet] };
    answers['GET /system/functions?namespace=team'] = { status: 200, body: [] };
    answers['GET /system/function/api-b?namespace=team&usage=1&nodes=1'] = { status: 200, body: figlet };
    const chosen = ['-f', 'stack.yml', '--filter', 'api-*'];
    const warning = 'skein: stack.yml: configuration.copy mean nothing for bundles and are ignored\n';
    expect(await skein(['deploy', ...chosen, '--secret', 'two', '--quiet'])).toEqual({
      code: 0,
      out: '',
      err: warning,
    });
    expect(JSON.parse(seen[0]!.body)).toMatchObject({ service: 'api-a', secrets: ['one', 'two'] });
    expect(JSON.parse(seen[1]!.body)).toMatchObject({ service: 'api-b', namespace: 'team' });
    expect((await skein(['list', ...chosen])).out).toMatch(/^NAME.*\napi-a .*\napi-b +- +- +\(not deployed\)\n$/);
    expect(JSON.parse((await skein(['list', ...chosen, '--json'])).out)).toHaveLength(1);
    const described = await skein(['describe', '-f', 'stack.yml', '--regex', 'b$', '--json']);
    expect(JSON.parse(described.out)).toMatchObject([figlet]);
    expect((await skein(['remove', ...chosen])).out).toBe('removed api-a\nremoved api-b\n');
    expect(JSON.parse(seen.at(-1)!.body)).toEqual({ functionName: 'api-b', namespace: 'team' });
    for (const wrong of [
      ['remove'],
      ['remove', 'x', '-f', 'stack.yml'],
      ['list', '--filter', 'x'],
      ['list', ...chosen, '--regex', 'x'],
    ]) {
      expect(await skein(wrong), wrong.join(' ')).toMatchObject({ code: 2, out: '' });
    }
  });

  test('makes of a handler folder that says nothing of itself a program for the classic watchdog', async () => {
    stack('http://127.0.0.1:8080');
    mkdirSync(join(folder, 'sum'));
    writeFileSync(join(folder, 'sum', 'notes.txt'), 'taken along');
    const { out, code } = await skein(['build', '-f', 'stack.yml', '--filter', 'sum', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject([{ image: 'sum:latest', mode: 'classic', out: 'sum.tar.gz' }]);
    expect(await skein(['build', '-f', 'stack.yml', '--filter', 'api-*'])).toMatchObject({ code: 2 });
  });

  test('names the gateway, below the flag and above the environment, and gets no password sent elsewhere', async () => {
    answers['GET /system/functions'] = { status: 200, body: [] };
    const nowhere = { env: { SKEIN_GATEWAY: 'http://127.0.0.1:9' } };
    stack(gateway);
    const args = ['list', '-f', 'stack.yml', '--filter', 'api-a', '--data', folder];
    expect(await skein(args, nowhere)).toMatchObject({ code: 0 });
    stack('http://functions.invalid');
    expect(await skein([...args, '--gateway', gateway], nowhere)).toMatchObject({ code: 0 });
    writeFileSync(join(folder, 'admin-password'), 'hunter2');
    expect(await skein(args)).toMatchObject({ code: 2, err: expect.stringContaining('--password-file') });
  });
});

test('deploy --wait says where it is late, and gives up', async () => {
  answers['PUT /system/functions'] = { status: 202 };
  const nodes = [atNode('node-1', 'ready'), atNode('node-2', 'behind'), atNode('node-3', 'elsewhere')];
  answers['GET /system/function/a'] = { status: 200, body: { ...figlet, nodes } };
  const args = ['deploy', 'a', '--image', 'a', '--wait', '--timeout', '300ms'];
  const { code, err } = await skein(args);
  expect(code).toBe(1);
  expect(err).toMatch(
    /^waiting for a: ready at 1 of 2 nodes \(node-2 behind\)\nskein: a is deployed, but .*node-2 behind/,
  );
  answers['GET /system/function/a'] = { status: 200, body: { ...figlet, nodes: [nodes[2]] } };
  expect(await skein(args)).toMatchObject({ code: 1, err: expect.stringContaining('meets its constraints') });
  const { out } = await skein([...args, '--json']);
  expect(JSON.parse(out)).toMatchObject([{ outcome: 'updated', error: expect.stringContaining('constraints') }]);
});

describe('invoke', () => {
  test('tells everything of the answer as JSON', async () => {
    answers['POST /function/echo'] = { status: 200, body: 'text' };
    const { out } = await skein(['invoke', 'echo', '--json', '-d', 'x']);
    expect(JSON.parse(out)).toMatchObject({ status: 200, node: 'node-1', body: 'text' });
    expect(seen.at(-1)?.body).toBe('x');
    expect(await skein(['invoke', 'echo', '--body', 'x', '--data', 'y'])).toMatchObject({ code: 2 });
  });

  test('sends what it is given and prints the answer as it is', async () => {
    answers['POST /function/echo.team'] = { status: 200, body: 'no newline' };
    const args = ['invoke', 'echo', '--namespace', 'team', '--query', 'a=b c', '--header', 'X-A: 1'];
    expect(await skein([...args, '--data', 'hello'])).toEqual({ code: 0, out: 'no newline', err: '' });
    await skein(args, { input: 'piped' });
    expect(seen.map(({ line, body, user }) => [line, body, user])).toEqual([
      ['POST /function/echo.team?a=b%20c', 'hello', undefined],
      ['POST /function/echo.team?a=b%20c', 'piped', undefined],
    ]);
  });

  test('fails when the function does, and says who refused and why', async () => {
    answers['POST /function/echo'] = { status: 503, body: 'busy\n' };
    expect(await skein(['invoke', 'echo'])).toEqual({
      code: 1,
      out: 'busy\n',
      err: 'skein: echo answered 503 (full, at node-1)\n',
    });
  });
});

describe('load', () => {
  test('prints JSON with the agreed fields', async () => {
    answers['POST /function/echo'] = { status: 200, body: 'ok' };
    const args = ['load', `${gateway}/function/echo`, '--rate', '50', '--duration', '200ms', '--data', 'x', '--json'];
    const { code, out, err } = await skein(args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const result = JSON.parse(out) as Record<string, unknown>;
    expect(Object.keys(result)).toEqual(
      'target rate achievedRate durationSeconds sent succeeded failed unsent successRatio statuses errors reasons latencyMs nodes perSecond'.split(
        ' ',
      ),
    );
    expect(result).toMatchObject({ sent: 10, succeeded: 10, nodes: { 'node-1': { served: 10 } } });
    expect(seen[0]!.body).toBe('x');
  });

  test('exits with 1 when less succeeds than asked for', async () => {
    answers['GET /f'] = { status: 503 };
    const args = ['load', `${gateway}/f`, '--rate', '50', '--duration', '100ms'];
    expect(await skein(args)).toMatchObject({ code: 0, out: expect.stringContaining('reasons    full: 5') });
    expect(await skein([...args, '--fail-below', '0.5'])).toMatchObject({
      code: 1,
      err: 'skein: only 0 of the requests succeeded, less than 0.5\n',
    });
  });

  test('exits with 1 when nobody answers, whatever was asked for', async () => {
    // A port that was free a moment ago may be another test's by now; this one is nobody's.
    const url = 'http://127.0.0.1:1/f';
    expect(await skein(['load', url, '--rate', '50', '--duration', '100ms', '--fail-below', '0'])).toMatchObject({
      code: 1,
      err: `skein: none of 5 requests to ${url} was answered (refused: 5)\n`,
    });
  });
});

test.each([
  [['lst'], /Did you mean list/],
  [['load', 'nowhere', '--rate', '1', '--duration', '1s'], /must be a URL/],
  [['load', 'http://x', '--rate', '0', '--duration', '1s'], /--rate .*more than 0/],
  [['load', 'http://x', '--rate', '1', '--duration', '20'], /--duration .*500ms, 20s or 1m/],
  [
    ['load', 'http://x', '--rate', '1', '--duration', '1s', '--header', 'Content-Length: 5'],
    /is set from what is sent/,
  ],
  [['load', 'http://x', '--rate', '1'], /--duration/],
  [['deploy', 'absent'], /there is no folder absent; .*--image/],
  [['config', 'print', '--config', 'absent.yaml'], /cannot read the configuration/],
  [
    ['config', 'print', '--queue-ms', 'soon', '--log-level', 'loud'],
    /--queue-ms must be .*\nskein: --log-level must be/,
  ],
])('%j is wrong usage: one sentence, exit code 2', async (args, sentence) => {
  const { code, out, err } = await runSkein(args, { cwd: folder });
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(sentence);
  expect(err).not.toContain('    at ');
});

test('config print shows where each value comes from', async () => {
  writeFileSync(join(folder, 'skein.yaml'), 'queue: { ms: 5 }\n');
  const env = { SKEIN_CAPACITY_SLOTS: '3' };
  const { out } = await runSkein(['config', 'print', '--json', '--log-level', 'warn'], { cwd: folder, env });
  expect(JSON.parse(out)).toMatchObject({
    settings: {
      'queue.ms': { value: 5, origin: 'file' },
      'capacity.slots': { value: 3, origin: 'env' },
      'log.level': { value: 'warn', origin: 'flag' },
      'log.format': { value: 'json', origin: 'default' },
    },
  });
});
