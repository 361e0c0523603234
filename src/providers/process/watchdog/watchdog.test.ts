import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { request, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionRef } from '../../../domain/function.ts';
import type { ReplicaPlan } from '../../../routing/plan.ts';
import { classicBundle, eventually, makeProvider, type Bench, type Files } from '../provider.testing.ts';

type Env = Readonly<Record<string, string>>;
type Asked = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
  readonly signal?: AbortSignal;
};
type Answered = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
};

let bench: Bench;
let count = 0;

beforeAll(async () => {
  bench = await makeProvider({ maxReplicas: { perFunction: 4, total: 64 }, drainDelayMs: 0 });
});
afterAll(() => bench.close());

/** A replica in classic mode. */
const start = async (
  fprocess: string,
  env: Env = {},
  files: Files = {},
): Promise<{
  readonly ref: FunctionRef;
  readonly replica: ReplicaPlan;
  readonly ask: (asked?: Asked) => Promise<Answered>;
}> => {
  const ref = { name: `fn-${count++}`, namespace: 'openfaas-fn' };
  await bench.provider.deploy(await bench.spec(ref, '1', classicBundle(fprocess, files), env), 1);
  const [replica] = bench.provider.resolve(ref);
  if (replica === undefined) throw new Error('it did not start');
  return { ref, replica, ask: (asked) => ask(replica, asked) };
};

afterEach(async () => {
  for (const { spec } of await bench.provider.list()) await bench.provider.remove(spec.ref);
});

const ask = async (replica: ReplicaPlan, asked: Asked = {}): Promise<Answered> => {
  const { method = 'POST', path = '/', headers = {}, body, signal } = asked;
  if (replica.address.kind !== 'unix') throw new Error('a watchdog listens on a socket');
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const sent = request(
    { socketPath: replica.address.path, agent: false, method, path, headers, ...(signal && { signal }) },
    (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      answer.on('end', () => {
        const whole = Buffer.concat(chunks);
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: whole, text: whole.toString() });
      });
    },
  );
  sent.on('error', reject).end(body);
  return promise;
};

/** The log once it has what is looked for: an answer does not wait for its last line. */
const logOf = async (ref: FunctionRef, wanted: string): Promise<string> => {
  const name = readdirSync(bench.provider.logFolder(ref)).find((file) => file.endsWith('.log')) ?? '';
  const read = (): Promise<string> => readFile(join(bench.provider.logFolder(ref), name), 'utf8');
  await expect.poll(read, { interval: 10 }).toContain(wanted);
  return read();
};

const script = (code: string): Files => ({ 'run.sh': `#!/bin/sh\n${code}\n` });

/** The processes that have `mark` in what they were started with. */
const running = (mark: string): readonly number[] =>
  readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark) ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });

describe('classic mode answers as the classic watchdog does', () => {
  it.each<readonly [string, string, Env, Files, Asked, Partial<Answered>]>([
    ['cat gives the body back', 'cat', {}, {}, { body: 'hello' }, { status: 200, text: 'hello' }],
    ['without a body there is nothing on stdin', 'cat', {}, {}, { method: 'GET' }, { status: 200, text: '' }],
    [
      'sha512sum gives the checksum',
      'sha512sum',
      {},
      {},
      { body: 'abc' },
      { status: 200, text: `${createHash('sha512').update('abc').digest('hex')}  -\n` },
    ],
    ['single spaces part arguments, quotes mean nothing', `printf [%s] 'a  b'`, {}, {}, {}, { text: `['a][][b']` }],
    ['stdin can be opened again', 'cat /dev/stdin', {}, {}, { body: 'again' }, { status: 200, text: 'again' }],
    [
      'output and error output keep their order',
      './run.sh',
      {},
      script('echo a; echo b >&2; echo c; echo d >/dev/stderr; echo e >/dev/stdout'),
      {},
      { status: 200, text: 'a\nb\nc\nd\ne\n' },
    ],
    [
      'combine_output=false keeps error output out of the answer',
      './run.sh',
      { combine_output: 'false' },
      script('echo a; echo b >&2'),
      {},
      { text: 'a\n' },
    ],
    [
      'a process that fails is a 500 with its status and output',
      './run.sh',
      {},
      script('echo said; exit 3'),
      {},
      { status: 500, text: 'exit status 3\nsaid\n' },
    ],
    [
      'a process that is killed is a 500',
      './run.sh',
      {},
      script('kill -9 $$'),
      {},
      { status: 500, text: 'signal: killed\n' },
    ],
    ['a process that reads nothing is fine', 'true', {}, {}, { body: 'x'.repeat(300_000) }, { status: 200, text: '' }],
    ['other verbs are a 405', 'cat', {}, {}, { method: 'OPTIONS' }, { status: 405, text: '' }],
    ['HEAD is a 405', 'cat', {}, {}, { method: 'HEAD' }, { status: 405 }],
    [
      'exec_timeout is a 408',
      'sleep 60',
      { exec_timeout: '200ms' },
      {},
      {},
      { status: 408, text: 'Killed process.\n' },
    ],
    [
      'X-Timeout shortens exec_timeout',
      'sleep 60',
      { exec_timeout: '50s' },
      {},
      { headers: { 'x-timeout': '100ms' } },
      { status: 408 },
    ],
    [
      'times of many days are no times that are over',
      './run.sh',
      { exec_timeout: '1000h', write_timeout: '1000h', read_timeout: '1000h' },
      script('sleep 0.3; echo done'),
      {},
      { status: 200, text: 'done\n' },
    ],
    [
      'X-Timeout of many days neither',
      './run.sh',
      {},
      script('sleep 0.3; echo done'),
      { headers: { 'x-timeout': '1000h' } },
      { status: 200, text: 'done\n' },
    ],
    ['write_timeout ends what exec_timeout does not', 'sleep 60', { write_timeout: '200ms' }, {}, {}, { status: 504 }],
    [
      'a body past max_body_bytes is a 413',
      'cat',
      { max_body_bytes: '10' },
      {},
      { body: 'x'.repeat(11) },
      { status: 413 },
    ],
    [
      'output past max_output_bytes is a 500',
      'cat /dev/zero',
      { max_output_bytes: '100000' },
      {},
      {},
      { status: 500, text: 'the output is longer than 100000 bytes (max_output_bytes)\n' },
    ],
    [
      'marshal_request gives headers and body as JSON',
      'cat',
      { marshal_request: 'true' },
      {},
      { body: 'hi', headers: { host: 'h', 'x-a': ['1', '2'], connection: 'close', 'content-length': '2' } },
      {
        text: '{"header":{"Connection":["close"],"Content-Length":["2"],"X-A":["1","2"]},"body":{"raw":"aGk="}}',
      },
    ],
    [
      'values that make no sense count as not given',
      'cat',
      { exec_timeout: 'soon', max_inflight: '' },
      {},
      { body: 'x' },
      { text: 'x' },
    ],
    ['health is OK', 'cat', {}, {}, { method: 'GET', path: '/_/health' }, { status: 200, text: 'OK' }],
    ['health has one verb', 'cat', {}, {}, { path: '/_/health' }, { status: 405 }],
    [
      'health does without a lock file if told',
      'cat',
      { suppress_lock: 'true' },
      {},
      { method: 'GET', path: '/_/health' },
      { status: 200 },
    ],
  ])('%s', async (_name, fprocess, env, files, asked, expected) => {
    const { ask } = await start(fprocess, env, files);
    expect(await ask(asked)).toMatchObject(expected);
  });

  it.each([
    ['the variable', { content_type: 'application/json' }, 'text/csv', 'application/json'],
    ['else the request', {}, 'text/csv', 'text/csv'],
    ['else the first bytes', {}, undefined, 'text/html; charset=utf-8'],
  ])('says the type of an answer by %s', async (_name, env, sent, expected) => {
    const { ask } = await start('cat', env);
    const { headers } = await ask({ body: '<html>', headers: sent === undefined ? {} : { 'content-type': sent } });
    expect(headers['content-type']).toBe(expected);
    expect(headers['x-duration-seconds']).toMatch(/^\d+\.\d{6}$/);
    expect(headers['content-length']).toBe('6');
  });

  it('tells the request in the environment, and nothing of the agent', async () => {
    const { ask } = await start('env', { A: 'deployed', 'with-dash': '1' });
    const { text } = await ask({
      path: '/p%20q/r?a=b&c=%20',
      headers: { host: 'example', 'x-call-ID': 'one', 'x-name': 'Zo\u00c3\u00ab' },
      // A string would be sent in one piece with the headers, and in its own encoding.
      body: Buffer.from('body'),
    });
    const env = Object.fromEntries(
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(/=(.*)/s)),
    );
    const { PATH, HOME, TMPDIR, Http_Connection, ...rest } = env as Record<string, string>;
    expect(rest).toEqual({
      A: 'deployed',
      'with-dash': '1',
      OPENFAAS_URL: 'http://127.0.0.1:8080',
      fprocess: 'env',
      Http_Method: 'POST',
      Http_Path: '/p q/r',
      Http_Query: 'a=b&c=%20',
      Http_Host: 'example',
      Http_ContentLength: '4',
      Http_Content_Length: '4',
      Http_X_Call_Id: 'one',
      Http_X_Name: 'Zoë',
    });
    expect(HOME).toBe(TMPDIR);
    expect(PATH).toBeTruthy();
    expect(Http_Connection).toBe('close');
  });

  it('tells a body of unknown length, and nothing at all with cgi_headers=false', async () => {
    const told = await start('env');
    const { text } = await told.ask({ headers: { 'transfer-encoding': 'chunked' }, body: 'x' });
    expect(text).toContain('Http_ContentLength=-1\n');
    expect(text).toContain('Http_Transfer_Encoding=chunked\n');
    const untold = await start('env', { cgi_headers: 'false' });
    expect((await untold.ask()).text).not.toContain('Http_');
  });

  it('takes the program from envProcess, then the environment, then the bundle', async () => {
    const deployed = async (fprocess: string | undefined, envVars: Env): Promise<string> => {
      const ref = { name: `fn-${count++}`, namespace: 'openfaas-fn' };
      const spec = await bench.spec(ref, '1', classicBundle('echo bundle'), envVars);
      const deployment = { ...spec.deployment, ...(fprocess === undefined ? {} : { envProcess: fprocess }) };
      await bench.provider.deploy({ ...spec, deployment }, 1);
      return (await ask(bench.provider.resolve(ref)[0] as ReplicaPlan)).text;
    };
    expect(await deployed(undefined, {})).toBe('bundle\n');
    expect(await deployed(undefined, { fprocess: 'echo variable' })).toBe('variable\n');
    expect(await deployed('echo process', { fprocess: 'echo variable' })).toBe('process\n');
    expect(await deployed('', {})).toBe('bundle\n');
  });

  it('carries a long body both ways', async () => {
    const { ask } = await start('cat');
    const body = randomBytes(20 * 1024 * 1024);
    expect((await ask({ body })).body.equals(body)).toBe(true);
  });

  it('writes what it does to the log, with the time', async () => {
    const { ref, ask } = await start('cat', { debug_headers: 'true' });
    await ask({ body: 'hello', headers: { 'x-a': 'b' } });
    const log = await logOf(ref, 'Duration');
    expect(log).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z \[in\] X-A=\[b\]$/m);
    expect(log).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z Forking fprocess\.$/m);
    expect(log).toMatch(/Z Wrote 5 Bytes - Duration: \d+\.\d{6}s$/m);
  });

  it('writes output with write_debug, and error output that is no part of the answer, to the log', async () => {
    const { ref, ask } = await start(
      './run.sh',
      { write_debug: 'true', combine_output: 'false' },
      script('echo out; echo err >&2'),
    );
    await ask({ path: '/p?q' });
    const log = await logOf(ref, 'Duration');
    for (const line of ['out', 'stderr: err', 'Query q', 'Path /p']) expect(log).toContain(`Z ${line}\n`);
    expect(log).not.toContain('Wrote');
  });

  it('is not well once its lock file is gone', async () => {
    const { ref, replica, ask } = await start('./run.sh', {}, script('rm "$TMPDIR/.lock"'));
    await ask();
    expect((await ask({ method: 'GET', path: '/_/health' })).status).toBe(503);
    await bench.provider.checkHealth();
    expect(bench.provider.resolve(ref)).toEqual([]);
    await writeFile(join(bench.folder, 'state/slots', replica.id, 'tmp/.lock'), '');
    await bench.provider.checkHealth();
    expect(bench.provider.resolve(ref)).toHaveLength(1);
  });
});

describe('a watchdog leaves nothing behind', () => {
  it('refuses more than max_inflight at once, as OpenFaaS does, and runs the others', async () => {
    const waits = script('while [ ! -e "$TMPDIR/go" ]; do sleep 0.05; done; echo went');
    const { replica, ask } = await start('./run.sh', { max_inflight: '2' }, waits);
    const first = [ask(), ask()];
    await eventually(() => running(`${replica.id}/bundle/run.sh`).length === 2);
    expect(await ask()).toMatchObject({
      status: 429,
      text: 'Concurrent request limit exceeded. Max concurrent requests: 2\n',
      headers: { 'x-openfaas-internal': 'faas-middleware', 'content-type': 'text/plain' },
    });
    await writeFile(join(bench.folder, 'state/slots', replica.id, 'tmp/go'), '');
    expect((await Promise.all(first)).map(({ text }) => text)).toEqual(['went\n', 'went\n']);
    expect((await ask()).status).toBe(200);
  });

  it.each<readonly [string, Env]>([
    ['the caller leaves', {}],
    ['time runs out', { exec_timeout: '300ms' }],
  ])('ends a process and its children when %s', async (_name, env) => {
    const mark = `60.6${String(process.pid).padStart(7, '0')}${count}`;
    const { ask } = await start('./run.sh', env, script(`sleep ${mark} & sleep ${mark}`));
    const left = new AbortController();
    const asked = ask({ signal: left.signal }).catch(() => undefined);
    await eventually(() => running(mark).length === 2 || env['exec_timeout'] !== undefined);
    if (env['exec_timeout'] === undefined) left.abort();
    await asked;
    await eventually(() => running(mark).length === 0);
  });

  it('ends what a process leaves in the background, and does not wait for it', async () => {
    const mark = `60.7${String(process.pid).padStart(7, '0')}`;
    const { ask } = await start('./run.sh', {}, script(`sleep ${mark} & echo done`));
    expect((await ask()).text).toBe('done\n');
    await eventually(() => running(mark).length === 0);
  });

  it('has no process, file or descriptor left after many requests at once', async () => {
    const { replica, ask } = await start('cat');
    const slot = join(bench.folder, 'state/slots', replica.id);
    const pid = bench.provider.replicas()[0]?.pid ?? 0;
    const files = (): number => readdirSync(`/proc/${pid}/fd`).length;
    await ask({ body: 'warm' });
    const before = files();
    const caller = async (who: number): Promise<void> => {
      for (let each = 0; each < 25; each++) {
        const body = `${who}.${each} `.repeat(1 + 1000 * (each % 3));
        expect((await ask({ body })).text).toBe(body);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, who) => caller(who)));
    await eventually(() => files() <= before + 2);
    expect(running('cat').filter((found) => isChildOf(found, pid))).toEqual([]);
    expect(readdirSync(join(slot, 'scratch'))).toEqual(['pipes']);
  });

  it('leaves none of its processes when it is killed', async () => {
    const mark = `60.8${String(process.pid).padStart(7, '0')}`;
    const { ref, ask } = await start('./run.sh', {}, script(`sleep ${mark} & sleep ${mark}`));
    const asked = ask().catch(() => undefined);
    await eventually(() => running(mark).length === 2);
    const replica = bench.provider.replicas().find((found) => found.ref.name === ref.name);
    process.kill(replica?.pid ?? 0, 'SIGKILL');
    await asked;
    await eventually(() => running(mark).length === 0);
  });

  it('answers what runs when it is told to end, and ends', async () => {
    const { ref, replica, ask } = await start('./run.sh', {}, script('sleep 1; echo done'));
    const asked = ask();
    await eventually(() => running(`${replica.id}/bundle/run.sh`).length === 1);
    await bench.provider.remove(ref);
    expect((await asked).text).toBe('done\n');
    await eventually(() => running(replica.id).length === 0);
  });
});

describe('the modes of of-watchdog that fork', () => {
  it('streaming sends output as it comes, and takes the body as it comes', async () => {
    const { replica } = await start('cat', { mode: 'streaming' });
    if (replica.address.kind !== 'unix') throw new Error('a watchdog listens on a socket');
    const { promise, resolve } = Promise.withResolvers<string>();
    const sent = request({ socketPath: replica.address.path, agent: false, method: 'POST' }, (answer) => {
      expect(answer.headers['content-type']).toBe('application/octet-stream');
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        if (text === '') sent.end('last');
        text += chunk;
      });
      answer.on('end', () => resolve(text));
    });
    sent.write('first');
    expect(await promise).toBe('firstlast');
  });

  it('streaming tells a failure while it can, and breaks off when it cannot', async () => {
    const silent = await start('./run.sh', { mode: 'streaming' }, script('echo why >&2; exit 4'));
    expect(await silent.ask()).toMatchObject({ status: 500, text: 'exit status 4\n' });
    expect(await logOf(silent.ref, 'why')).toContain('Z stderr: why\n');
    const begun = await start('./run.sh', { mode: 'streaming' }, script('echo begun; sleep 0.3; exit 4'));
    await expect(begun.ask()).rejects.toThrow('aborted');
  });

  it('streaming carries a body that is longer than any bound for kept ones', async () => {
    const { ask } = await start('cat', {
      mode: 'streaming',
      max_body_bytes: '10',
      max_output_bytes: '10',
      prefix_logs: 'false',
    });
    const body = randomBytes(8 * 1024 * 1024);
    expect((await ask({ body })).body.equals(body)).toBe(true);
  });

  it('serializing keeps the whole answer, and error output out of it', async () => {
    const { ask } = await start(
      './run.sh',
      { mode: 'serializing' },
      script('echo a; echo b >&2; env | grep -c Http_Host'),
    );
    expect(await ask({ method: 'OPTIONS' })).toMatchObject({ status: 500, text: 'exit status 1\na\n0\n' });
  });

  it('is ready by what ready_path answers, unless it is full', async () => {
    const { ask } = await start(
      './run.sh',
      { mode: 'serializing', ready_path: '/up' },
      script('[ "$Http_Path" = /up ] && echo yes'),
    );
    expect(await ask({ method: 'GET', path: '/_/ready' })).toMatchObject({ status: 200, text: 'yes\n' });
    expect((await ask({ path: '/other' })).status).toBe(500);
  });
});

it.each([
  ['there is no program of that name', 'no-such-program', /there is no program "no-such-program"/],
  ['the interpreter of the program is not there', './bad', /its first line names "\/no\/such\/thing"/],
  ['no program is named', undefined, /has no fprocess/],
])('refuses a function when %s', async (_name, fprocess, sentence) => {
  const manifest = JSON.stringify({ manifest: 1, mode: 'classic', ...(fprocess && { fprocess }) });
  const files = { 'skein.json': manifest, bad: '#!/no/such/thing\n' };
  const spec = await bench.spec({ name: 'fn', namespace: 'openfaas-fn' }, '1', files);
  await expect(bench.provider.deploy(spec, 0)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(sentence) as string,
  });
});

it('answers 500 where its program can no longer be started', async () => {
  const { replica, ask: call } = await start('./run.sh', {}, script('echo hello'));
  expect(await call()).toMatchObject({ status: 200, text: 'hello\n' });
  await rm(join(bench.folder, 'state/slots', replica.id, 'bundle/run.sh'));
  expect(await call()).toMatchObject({ status: 500 });
});

it('has its processes ended also when nobody but a sweep finds it', async () => {
  const { sweepProcesses } = await import('../sweep.ts');
  const own = await makeProvider();
  const mark = `60.9${String(process.pid).padStart(7, '0')}`;
  const ref = { name: 'fn', namespace: 'openfaas-fn' };
  await own.provider.deploy(await own.spec(ref, '1', classicBundle(`sleep ${mark}`)), 1);
  const [replica] = own.provider.replicas();
  const asked = ask(own.provider.resolve(ref)[0] as ReplicaPlan).catch(() => undefined);
  const noted = join(own.folder, 'state/slots', replica?.id ?? '', 'children');
  await eventually(() => running(mark).some((pid) => readFileSync(noted, 'utf8').includes(`${pid} `)));
  await own.provider.release();
  process.kill(replica?.pid ?? 0, 'SIGKILL');
  await asked;
  expect(running(mark)).toHaveLength(1);
  await sweepProcesses(join(own.folder, 'state'));
  await eventually(() => running(mark).length === 0);
  await own.close();
  await rm(own.folder, { recursive: true, force: true });
});

const isChildOf = (pid: number, parent: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8').includes(`PPid:\t${parent}\n`);
  } catch {
    return false;
  }
};
