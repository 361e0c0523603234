import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FunctionRef } from '../../domain/function.ts';
import type { ReplicaPlan } from '../../routing/plan.ts';
import { systemClock } from '../../std/clock.ts';
import { identify } from '../../std/process-identity.ts';
import type { ProcessProvider } from './process-provider.ts';
import { sweepProcesses } from './sweep.ts';
import { accepts } from './wait.ts';
import { call, collect, eventually, httpBundle, makeProvider, nodeBundle, type Bench } from './provider.testing.ts';

const ref: FunctionRef = { name: 'fn', namespace: 'openfaas-fn' };

let bench: Bench;
let provider: ProcessProvider;

const open = async (needs: Parameters<typeof makeProvider>[0] = {}): Promise<void> => {
  bench = await makeProvider(needs);
  provider = bench.provider;
};

const one = (): ReplicaPlan | undefined => provider.resolve(ref)[0];
/** What is left of a child until we look is no life. */
const isAlive = (pid: number): boolean => identify(pid) !== undefined;

afterEach(() => bench.close());

describe('node mode', () => {
  beforeEach(() => open());

  const run = async (code: string, env = {}, more = {}): Promise<unknown> => {
    await provider.deploy(await bench.spec(ref, '1', nodeBundle(code, more), env), 1);
    return JSON.parse((await call(one())).text) as unknown;
  };

  it('lets a function read its bundle and write its scratch folder, and nothing else', async () => {
    const outside = join(bench.folder, 'secret');
    await writeFile(outside, 'secret');
    const code = `
      import { readFileSync, writeFileSync, linkSync, symlinkSync, chmodSync } from 'node:fs';
      import { tmpdir } from 'node:os';
      import { spawnSync } from 'node:child_process';
      import { Worker } from 'node:worker_threads';
      const here = import.meta.dirname;
      const outside = ${JSON.stringify(outside)};
      const attempts = {
        readOwn: () => readFileSync(here + '/index.mjs'),
        writeScratch: () => writeFileSync(tmpdir() + '/x', 'x'),
        readScratch: () => readFileSync(tmpdir() + '/x'),
        readOutside: () => readFileSync(outside),
        writeOutside: () => writeFileSync(outside, 'x'),
        writeOwn: () => writeFileSync(here + '/index.mjs', 'x'),
        chmodOwn: () => chmodSync(here + '/index.mjs', 0o777),
        linkOut: () => { symlinkSync(outside, tmpdir() + '/link'); readFileSync(tmpdir() + '/link'); },
        hardLink: () => { linkSync(here + '/index.mjs', tmpdir() + '/hard'); writeFileSync(tmpdir() + '/hard', 'x'); },
        spawn: () => spawnSync('true'),
        thread: () => new Worker('1', { eval: true }),
      };
      const attempt = (act) => { try { act(); return 'may'; } catch (error) { return error.code; } };
      export default () => Response.json(Object.fromEntries(Object.entries(attempts).map(([name, act]) => [name, attempt(act)])));
    `;
    const no = 'ERR_ACCESS_DENIED';
    expect(await run(code)).toEqual({
      readOwn: 'may',
      writeScratch: 'may',
      readScratch: 'may',
      readOutside: no,
      writeOutside: no,
      writeOwn: no,
      chmodOwn: no,
      linkOut: no,
      hardLink: no,
      spawn: no,
      thread: no,
    });
    expect(await readFile(outside, 'utf8')).toBe('secret');
  });

  it('lets a function have threads when its manifest asks for them', async () => {
    const code = `
      import { Worker } from 'node:worker_threads';
      export default () => new Promise((resolve) =>
        new Worker('require("worker_threads").parentPort.postMessage(7)', { eval: true }).on('message', (n) => resolve(Response.json(n))));
    `;
    expect(await run(code, {}, { threads: true })).toBe(7);
  });

  it('gives a function the deployed environment and nothing of the agent', async () => {
    const code = 'export default () => Response.json(process.env)';
    const env = await run(code, { A: 'deployed' }, { env: { A: 'bundled', B: 'bundled' } });
    const { HOME, TMPDIR, PATH, ...rest } = env as Record<string, string>;
    expect(rest).toEqual({ A: 'deployed', B: 'bundled', OPENFAAS_URL: 'http://127.0.0.1:8080' });
    expect(HOME).toBe(TMPDIR);
    expect(PATH).toBeTruthy();
  });

  it('runs CommonJS, packages beside the entry and objects with fetch', async () => {
    const files = {
      ...nodeBundle('', { entry: 'lib/main.cjs' }),
      'lib/main.cjs': `exports.__esModule = true; exports.default = { fetch: () => new Response(require('seven')) };`,
      'node_modules/seven/package.json': '{"name":"seven","main":"index.js"}',
      'node_modules/seven/index.js': 'module.exports = "7"',
    };
    await provider.deploy(await bench.spec(ref, '1', files), 1);
    expect((await call(one())).text).toBe('7');
  });

  it('tells why a function does not load, and leaves nothing of it but its log', async () => {
    const spec = await bench.spec(ref, '1', nodeBundle('export const nothing = 1'));
    await expect(provider.deploy(spec, 1)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('exports no handler') as string,
    });
    await provider.remove(ref);
    await eventually(async () => (await readdir(join(bench.folder, 'state/slots'))).length === 0);
    expect(await readdir(join(bench.folder, 'run'))).toEqual([]);
    expect((await readdir(provider.logFolder(ref))).length).toBeGreaterThan(0);
  });

  it('keeps a replica that leaves until no more calls are sent to it', async () => {
    const withdrawn = Promise.withResolvers<void>();
    await bench.close();
    await open({ drainDelayMs: 1, withdrawn: () => withdrawn.promise });
    await provider.deploy(await bench.spec(ref, '1', nodeBundle(`export default () => new Response('yes')`)), 1);
    const replica = one();
    await provider.scale(ref, 0);
    expect(provider.resolve(ref)).toEqual([]);
    // Longer than one that does not wait would take.
    for (let calls = 0; calls < 20; calls += 1) {
      await pause(10);
      expect((await call(replica)).text).toBe('yes');
    }
    withdrawn.resolve();
    await eventually(async () => !(await accepts(replica!.address)));
  });

  it('keeps the logs of the functions removed last, and of no others', async () => {
    const spec = await bench.spec(ref, '1', nodeBundle('export const nothing = 1'));
    const names = Array.from({ length: 22 }, (_, index) => `removed-${index}`);
    for (const name of names) {
      const one = { ...spec, ref: { ...ref, name } };
      await provider.deploy(one, 0);
      await mkdir(provider.logFolder(one.ref), { recursive: true });
      await provider.remove(one.ref);
    }
    const there = await readdir(join(bench.folder, 'state/logs'));
    expect(there.sort()).toEqual(
      names
        .slice(2)
        .map((name) => `${name}.${ref.namespace}`)
        .sort(),
    );
  });

  it('keeps the logs of the last starts that failed, and of no others', async () => {
    const spec = await bench.spec(ref, '1', nodeBundle('export const nothing = 1'));
    await expect(provider.deploy(spec, 8)).rejects.toMatchObject({ code: 'unavailable' });
    await provider.remove(ref);
    expect(await readdir(provider.logFolder(ref))).toHaveLength(5);
  });

  it('restarts a function that breaks outside a call, and keeps what it said with times', async () => {
    const code = `export default (request) => {
      if (request.url.endsWith('/die')) setTimeout(() => { console.log('last words'); throw new Error('oh no'); });
      return new Response(String(process.pid));
    }`;
    await provider.deploy(await bench.spec(ref, '1', nodeBundle(code)), 1);
    const [first] = provider.replicas();
    const gone = new Promise<void>((resolve) => provider.onChange(() => resolve()));
    await call(one(), { path: '/die' });
    await gone;
    await eventually(() => provider.resolve(ref).length === 1);
    expect((await call(one())).text).not.toBe(String(first?.pid));
    const log = await readFile(first?.logFile ?? '', 'utf8');
    expect(log).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z last words\n/);
    expect(log).toContain('Error: oh no');
    const [status] = await provider.list();
    expect(status?.problem).toContain('exited with code 1');
  });

  it('keeps the bundle as it was: a replica that broke its copy breaks no other', async () => {
    const code = `import { createServer } from 'node:http';
      import { readFileSync, writeFileSync } from 'node:fs';
      const seen = readFileSync('data.txt', 'utf8');
      writeFileSync('data.txt', 'changed');
      createServer((_, response) => response.end(seen)).listen(process.env.PORT);`;
    await provider.deploy(await bench.spec(ref, '1', { ...httpBundle(code), 'data.txt': 'as built' }), 2);
    for (const replica of provider.resolve(ref)) expect((await call(replica)).text).toBe('as built');
  });

  it('loses no call while it updates under load', async () => {
    const code = (text: string): string => `export default async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return new Response('${text}');
    }`;
    await provider.deploy(await bench.spec(ref, '1', nodeBundle(code('old'))), 2);
    const answers = new Map<string, number>();
    const load = { goesOn: true };
    const caller = async (): Promise<void> => {
      while (load.goesOn) {
        const replicas = provider.resolve(ref);
        const { text } = await call(replicas[Math.floor(Math.random() * replicas.length)]);
        answers.set(text, (answers.get(text) ?? 0) + 1);
      }
    };
    const callers = [caller(), caller(), caller(), caller()];
    await provider.update(await bench.spec(ref, '2', nodeBundle(code('new'))));
    await eventually(() => provider.replicas().length === 2 && (answers.get('new') ?? 0) > 20);
    load.goesOn = false;
    await Promise.all(callers);
    expect([...answers.keys()].sort()).toEqual(['new', 'old']);
  });
});

describe('the pool', () => {
  it('keeps workers ready, which end with the provider', async () => {
    await open({ poolSize: 2 });
    await eventually(() => provider.idleWorkers === 2);
    expect(await readdir(join(bench.folder, 'state/slots'))).toHaveLength(2);
    await provider.stop();
    expect(provider.idleWorkers).toBe(0);
    expect(await readdir(join(bench.folder, 'state/slots'))).toEqual([]);
  });

  it('gives its workers to functions and fills up again', async () => {
    const coldStarts: number[] = [];
    await open({ poolSize: 1, onColdStart: (ms) => coldStarts.push(ms) });
    await eventually(() => provider.idleWorkers === 1);
    await provider.deploy(await bench.spec(ref, '1', nodeBundle('export default () => new Response("hi")')), 3);
    for (const replica of provider.resolve(ref)) expect((await call(replica)).text).toBe('hi');
    expect(coldStarts).toHaveLength(3);
    await eventually(() => provider.idleWorkers === 1);
  });
});

/** A program that answers with what an expression gives; on other paths than `well` with a 503. */
const answersCode = (expression: string, well?: string): string => `import { createServer } from 'node:http';
  createServer((request, response) => {
    response.statusCode = ${well === undefined ? 'true' : `request.url === '${well}'`} ? 200 : 503;
    response.end(String(${expression}));
  }).listen(process.env.PORT);`;

describe('http mode', () => {
  beforeEach(() => open());

  it('waits until the path that tells readiness answers well', async () => {
    const code = `import { createServer } from 'node:http';
      const began = Date.now();
      createServer((request, response) => {
        response.statusCode = request.url === '/ready' && Date.now() - began < 300 ? 503 : 200;
        response.end(String(Date.now() - began >= 300));
      }).listen(process.env.SKEIN_SOCKET);`;
    await provider.deploy(await bench.spec(ref, '1', httpBundle(code, { ready: '/ready' })), 1);
    expect((await call(one())).text).toBe('true');
  });

  it('gives up on a program that does not listen, with its last lines', async () => {
    await bench.close();
    await open({ readyTimeoutMs: 3000 });
    const code = `console.log('waiting for nothing'); setInterval(() => {}, 1000);`;
    await expect(provider.deploy(await bench.spec(ref, '1', httpBundle(code)), 1)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/accepted no connection .* within 3000 ms.*waiting for nothing/) as string,
    });
  });

  it('says that a function fails while its replicas do, and no more once it rests or another revision runs', async () => {
    await bench.close();
    // A start that fails is one that failed at once, however long it took on a busy machine.
    await open({ clock: { ...systemClock, monotonic: () => systemClock.monotonic() / 20 } });
    const changes: boolean[] = [];
    provider.onChange(() => changes.push(provider.failing(ref)));
    const broken = await bench.spec(ref, '1', httpBundle('process.exit(1)'));
    await expect(provider.deploy(broken, 1)).rejects.toMatchObject({ code: 'unavailable' });
    expect(provider.failing(ref)).toBe(false);
    await eventually(async () => provider.failing(ref));
    expect(changes.at(-1)).toBe(true);
    await provider.scale(ref, 0);
    expect([provider.failing(ref), changes.at(-1)]).toEqual([false, false]);
    await expect(provider.scale(ref, 1)).rejects.toMatchObject({ code: 'unavailable' });
    expect(provider.failing(ref)).toBe(true);
    await provider.update(await bench.spec(ref, '2', httpBundle(answersCode('1'))));
    expect(provider.failing(ref)).toBe(false);
  });

  it('runs what the deployment names as fprocess instead of its own command', async () => {
    const files = { ...httpBundle('throw new Error("not this one")'), 'other.mjs': answersCode('process.argv[2]') };
    const spec = await bench.spec(ref, '1', files);
    const deployment = { ...spec.deployment, envProcess: 'node other.mjs argument' };
    await provider.deploy({ ...spec, deployment }, 1);
    expect((await call(one())).text).toBe('argument');
  });

  it('asks the path that ready_path names', async () => {
    const spec = await bench.spec(ref, '1', httpBundle(answersCode('request.url', '/up')), { ready_path: '/up' });
    await provider.deploy(spec, 1);
    expect((await call(one(), { path: '/x' })).status).toBe(503);
    await bench.close();
    await open({ readyTimeoutMs: 3000 });
    const wrong = await bench.spec(ref, '1', httpBundle(answersCode('1', '/up')), { ready_path: '/' });
    await expect(provider.deploy(wrong, 1)).rejects.toThrow(/did not answer GET [/] with 200/);
  });

  it('tells of a line when it came, whatever time the line tells', async () => {
    const code = `import { createServer } from 'node:http';
      createServer((_, response) => { console.log('2001-02-03T04:05:06Z mine'); response.end(); }).listen(process.env.PORT);`;
    await provider.deploy(await bench.spec(ref, '1', httpBundle(code)), 1);
    const before = Date.now();
    await call(one());
    await provider.scale(ref, 0);
    const [line] = await collect(provider.logs(ref, { signal: new AbortController().signal }));
    expect(line?.text).toBe('2001-02-03T04:05:06Z mine');
    // A file's time is that of the kernel's last tick: up to 10 ms ago.
    expect(Date.parse(line?.timestamp ?? '')).toBeGreaterThanOrEqual(before - 10);
    expect(Date.parse(line?.timestamp ?? '')).toBeLessThanOrEqual(Date.now());
  });

  it('keeps the log of every replica that runs, whatever those of another revision wrote since', async () => {
    const code = `import { createServer } from 'node:http';
      createServer().listen(process.env.PORT);
      process.on('SIGTERM', () => { console.log('the end'); process.exit(); });`;
    await provider.deploy(await bench.spec(ref, '1', httpBundle(code)), 6);
    const old = provider.replicas();
    await provider.update(await bench.spec(ref, '2', httpBundle(code)));
    await eventually(() => old.every(({ pid }) => !isAlive(pid)));
    await eventually(async () => (await readdir(join(bench.folder, 'state/slots'))).length === 6);
    for (const { logFile } of provider.replicas()) expect((await stat(logFile)).isFile()).toBe(true);
  });

  it('keeps the log of a replica short also while it finishes its last calls', async () => {
    const code = `import { createServer } from 'node:http';
      createServer(() => console.log('x'.repeat(600_000))).listen(process.env.PORT);`;
    await provider.deploy(await bench.spec(ref, '1', httpBundle(code)), 1);
    const { logFile = '' } = provider.replicas()[0] ?? {};
    const unanswered = call(one()).catch(() => undefined);
    // By itself it may be cut before, every two seconds.
    const bytes = (path: string): Promise<number> =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      );
    await eventually(async () => (await bytes(logFile)) + (await bytes(`${logFile}.1`)) > 600_000);
    await provider.update(await bench.spec(ref, '2', httpBundle(code)));
    await provider.boundLogs();
    expect(await bytes(logFile)).toBe(0);
    await provider.stop(1000);
    await unanswered;
  });

  it('runs scripts of the bundle, and ends their children with them', async () => {
    const files = {
      'skein.json': JSON.stringify({ manifest: 1, mode: 'http', command: ['./start.sh', 'an argument'] }),
      'start.sh': '#!/bin/sh\nnode main.mjs "$1" &\nwait\n',
      'main.mjs': `import { createServer } from 'node:http';
        createServer((_, response) => response.end(process.pid + ' ' + process.argv[2])).listen(process.env.PORT);`,
    };
    await provider.deploy(await bench.spec(ref, '1', files), 1);
    const [pid, argument] = (await call(one())).text.split(/ (.*)/);
    expect(argument).toBe('an argument');
    const [leader] = provider.replicas();
    expect(Number(pid)).not.toBe(leader?.pid);
    await provider.remove(ref);
    await eventually(() => !isAlive(Number(pid)));
  });
});

describe('a provider that comes after another', () => {
  const pidCode = nodeBundle('export default () => new Response(String(process.pid))');

  it('adopts the replicas that still answer, and removes what is left of others', async () => {
    await open({ poolSize: 1 });
    await provider.deploy(await bench.spec(ref, '1', pidCode), 2);
    const before = provider.resolve(ref);
    const pids = await Promise.all(before.map(async (replica) => (await call(replica)).text));
    const dead = provider.replicas()[1];
    await provider.release();
    process.kill(dead?.pid ?? 0, 'SIGKILL');
    await eventually(async () => !isAlive(dead?.pid ?? 0));

    provider = bench.another({ poolSize: 0 });
    await provider.start();
    expect(provider.resolve(ref)).toEqual(before.slice(0, 1));
    expect((await call(one())).text).toBe(pids[0]);
    expect(await provider.list()).toMatchObject([{ spec: { revision: '1' }, replicas: 1, available: 1 }]);
    expect(await readdir(join(bench.folder, 'state/slots'))).toEqual([before[0]?.id]);
    expect(await readdir(join(bench.folder, 'run'))).toEqual([before[0]?.id]);
    await provider.stop(1000);
    await eventually(() => !isAlive(Number(pids[0])));
  });

  it('notices when an adopted replica crashes', async () => {
    await open();
    await provider.deploy(await bench.spec(ref, '1', pidCode), 1);
    await provider.release();
    provider = bench.another();
    await provider.start();
    const [adopted] = provider.replicas();
    process.kill(adopted?.pid ?? 0, 'SIGKILL');
    await eventually(() => one() !== undefined && one()?.id !== adopted?.id);
    expect((await call(one())).status).toBe(200);
    await provider.stop(1000);
  });
});

it('is waited for when nothing else keeps the agent from ending', async () => {
  await open();
  const spec = await bench.spec(ref, '1', nodeBundle('export default () => new Response()'));
  const args = [join(import.meta.dirname, 'agent.testing.ts'), bench.folder, JSON.stringify(spec), 'stop'];
  const agent = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  expect(await once(agent, 'exit')).toEqual([0, null]);
  expect(await readdir(join(bench.folder, 'state/slots'))).toEqual([]);
});

describe('an agent that is killed', () => {
  it('leaves its replicas serving, running calls included, and no idle worker', async () => {
    await open();
    const spec = await bench.spec(
      ref,
      '1',
      nodeBundle(`export default async () => {
        await new Promise((resolve) => setTimeout(resolve, 500));
        return new Response(String(process.pid));
      }`),
    );
    const agent = spawn(
      process.execPath,
      [join(import.meta.dirname, 'agent.testing.ts'), bench.folder, JSON.stringify(spec)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const [line] = (await once(agent.stdout, 'data')) as [Buffer];
    const replicas = JSON.parse(line.toString()) as ReplicaPlan[];
    const run = join(bench.folder, 'run');
    const idle = (await readdir(run)).filter((id) => id !== replicas[0]?.id).map((id) => join(run, id));
    expect(idle).toHaveLength(2);
    const running = call(replicas[0]);
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    const { text } = await running;
    for (const path of idle) await eventually(async () => !(await accepts({ kind: 'unix', path })));

    provider = bench.another();
    await provider.start();
    expect(provider.resolve(ref)).toEqual(replicas);
    expect((await call(one())).text).toBe(text);
    await provider.stop(1000);
  });

  it('leaves replicas that can be swept, and sweeping ends no stranger', async () => {
    await open();
    await provider.deploy(await bench.spec(ref, '1', nodeBundle('export default () => new Response()')), 2);
    const pids = provider.replicas().map(({ pid }) => pid);
    await provider.release();
    const ledgerFile = join(bench.folder, 'state/ledger.json');
    const ledger = JSON.parse(await readFile(ledgerFile, 'utf8')) as {
      replicas: { process: { pid: number; startTime: string } }[];
    };
    const stranger = ledger.replicas[0]?.process;
    if (stranger === undefined) throw new Error('nothing was recorded');
    stranger.startTime = '1';
    await writeFile(ledgerFile, JSON.stringify(ledger));
    expect(await sweepProcesses(join(bench.folder, 'state'))).toBe(1);
    // Which of the two was written down first is chance.
    expect(pids.filter(isAlive)).toEqual([stranger.pid]);
    expect(await sweepProcesses(join(bench.folder, 'state'))).toBe(0);
    process.kill(stranger.pid, 'SIGKILL');
  });
});

it('refuses a folder whose sockets would have paths too long', async () => {
  await open();
  expect(() => bench.another({ runFolder: `/tmp/${'x'.repeat(100)}` })).toThrow(/bytes too long for unix sockets/);
});

it('keeps its folders to its user', async () => {
  await open();
  for (const folder of ['state', 'run']) {
    expect((await stat(join(bench.folder, folder))).mode & 0o777).toBe(0o700);
  }
});

it('replaces a replica that no longer accepts connections', async () => {
  await open();
  const code = `import { createServer } from 'node:http';
    const server = createServer((_, response) => { response.end(String(process.pid)); server.close(); setInterval(() => {}, 1000); });
    server.listen(process.env.PORT);`;
  await provider.deploy(await bench.spec(ref, '1', httpBundle(code)), 1);
  const first = one();
  await call(first);
  await eventually(async () => {
    await provider.checkHealth();
    return one() !== undefined && one()?.id !== first?.id;
  });
});

describe('a replica that tells how it is', () => {
  const moody = `import { createServer } from 'node:http';
    let mood = 'well';
    createServer((request, response) => {
      if (request.url === '/ready') {
        if (mood === 'silent') return;
        response.statusCode = mood === 'well' ? 200 : 503;
        return response.end();
      }
      mood = request.url.slice(1);
      response.end(String(process.pid));
    }).listen(process.env.PORT);`;

  const begin = async (timeoutMs: number): Promise<ReplicaPlan> => {
    await open({ timeoutMs: () => timeoutMs });
    await provider.deploy(await bench.spec(ref, '1', httpBundle(moody, { ready: '/ready' })), 1);
    const first = one();
    if (first === undefined) throw new Error('it did not start');
    return first;
  };

  it('gets no calls while it says that it is not ready', async () => {
    const first = await begin(60_000);
    await call(first, { path: '/unwell' });
    await eventually(() => provider.checkHealth().then(() => one() === undefined));
    expect(await provider.list()).toMatchObject([{ replicas: 1, available: 0 }]);
    await call(first, { path: '/well' });
    await eventually(() => provider.checkHealth().then(() => one() !== undefined));
    expect(provider.resolve(ref)).toEqual([first]);
  });

  it('is left alone while it may be busy with a call, and replaced when it hangs for longer', async () => {
    const first = await begin(1500);
    await call(first, { path: '/silent' });
    await provider.checkHealth();
    expect(provider.resolve(ref)).toEqual([first]);
    await eventually(async () => {
      await provider.checkHealth();
      return one() !== undefined && one()?.id !== first.id;
    });
    expect((await call(one())).status).toBe(200);
  });
});
