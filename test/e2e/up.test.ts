import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runSkein, skeinProgram, type Ran } from '../../src/cli/testing/run-skein.ts';
import type { FederationStatus } from '../../src/gateway/needs.ts';
import { readPidFile } from '../../src/std/pid-file.ts';
import { cleanEnvironment, gone, temporaryFolder } from './federation.fixture.ts';
import { freePort, processesOf, signal } from './processes.ts';
import { until } from './until.ts';

/** `skein up` in a process of its own, as a user starts it. */
class Up {
  readonly child: ChildProcess;
  output = '';
  /** Its exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string | null>;

  constructor(data: string, port: number, ...flags: readonly string[]) {
    this.child = spawn(skeinProgram, ['up', '--data', data, '--port', String(port), ...flags], {
      cwd: data,
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.ended = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve(code ?? signal)));
  }

  async ready(): Promise<void> {
    await until(
      'skein up is ready',
      () => {
        if (this.child.exitCode !== null) throw new Error(this.output);
        return this.output.includes('Try:');
      },
      120_000,
    );
  }
}

/** A port whose fellows, those that `skein up` takes for `nodes` nodes, are free as well. */
const portFor = (nodes: number): Promise<number> =>
  freePort([0, 1_000, 2_000, 3_000].flatMap((step) => Array.from({ length: nodes }, (_, at) => step + at)));

const listenAt = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });

describe('a federation that skein up starts', () => {
  let data = '';
  let port = 0;
  let up: Up;
  const skein = (...args: readonly string[]): Promise<Ran> =>
    runSkein([...args, '--data', data], { env: { SKEIN_GATEWAY: `http://127.0.0.1:${port}` }, cwd: data });

  beforeAll(async () => {
    data = temporaryFolder();
    port = await portFor(3);
    up = new Up(data, port);
    await up.ready();
  });

  afterAll(async () => {
    await runSkein(['down', '--data', data]);
    const left = await gone(data);
    rmSync(data, { recursive: true, force: true });
    expect(left).toEqual([]);
  });

  test('says where its nodes are, what runs, where the password is and what to try', () => {
    for (const [index, slots] of [4, 8, 16].entries()) {
      expect(up.output).toContain(`node-${index + 1}  http://127.0.0.1:${port + index}  ${slots} slots`);
    }
    expect(up.output).toMatch(/functions .*figlet.*burn/);
    expect(up.output).toContain(`${join(data, 'admin-password')} (user admin)`);
    expect(up.output).toContain(`curl http://127.0.0.1:${port}/function/figlet -d 'Hello'`);
  });

  test('keeps the password where only its user can read it, and asks for it', async () => {
    const file = join(data, 'admin-password');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const url = `http://127.0.0.1:${port}/system/functions`;
    expect((await fetch(url)).status).toBe(401);
    const authorization = `Basic ${Buffer.from(`admin:${readFileSync(file, 'utf8').trim()}`).toString('base64')}`;
    expect((await fetch(url, { headers: { authorization } })).status).toBe(200);
  });

  test('answers the sample functions at every node', async () => {
    for (const node of [port, port + 1, port + 2]) {
      const call = async (path: string, body?: string): Promise<string> => {
        const init = body === undefined ? {} : { method: 'POST', body };
        const answer = await fetch(`http://127.0.0.1:${node}/function/${path}`, init);
        expect(answer.status).toBe(200);
        return answer.text();
      };
      expect((await call('figlet', 'Hi')).split('\n').length).toBeGreaterThan(4);
      expect(await call('shasum?algorithm=sha256', 'abc')).toContain(
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      );
      expect(await call('echo', 'as it is')).toBe('as it is');
      expect(await call('nodeinfo')).toMatch(/^Node: +node-\d$/m);
      expect(JSON.parse(await call('burn?sleep=1'))).toMatchObject({ sleepMs: 1 });
    }
  });

  test('is listed, described, called, deployed to and cleaned up from the command line', async () => {
    const listed = await skein('list', '--quiet');
    expect(listed.code).toBe(0);
    const names = ['burn', 'echo', 'figlet', 'nodeinfo', 'shasum'];
    expect(listed.out.trim().split('\n')).toEqual(expect.arrayContaining(names));
    const described = await skein('describe', 'echo', '--json');
    expect(JSON.parse(described.out)).toMatchObject({ name: 'echo', image: 'echo:latest' });

    const folder = join(data, 'shout');
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'handler.js'),
      'module.exports = async (event, context) => context.succeed(String(event.body).toUpperCase());\n',
    );
    const deployed = await skein('deploy', folder);
    expect(deployed, deployed.err).toMatchObject({ code: 0 });
    await until('it answers', async () => {
      const invoked = await runSkein(['invoke', 'shout'], {
        env: { SKEIN_GATEWAY: `http://127.0.0.1:${port + 2}` },
        input: 'loud',
      });
      return invoked.code === 0 && invoked.out.trim() === 'LOUD';
    });
    expect((await skein('remove', 'shout')).code).toBe(0);
    const again = await skein('remove', 'shout');
    expect(again).toMatchObject({ code: 1, out: '' });
    expect(again.err).toContain('service shout not found');
  });

  test('is seen whole by skein status', async () => {
    const { code, out } = await skein('status', '--json');
    expect(code).toBe(0);
    const { members, strategy } = JSON.parse(out) as FederationStatus;
    expect(strategy).toBe('least-loaded');
    expect(members.map(({ name, state, slots }) => ({ name, state, slots }))).toEqual([
      { name: 'node-1', state: 'alive', slots: 4 },
      { name: 'node-2', state: 'alive', slots: 8 },
      { name: 'node-3', state: 'alive', slots: 16 },
    ]);
  });

  test('is not started twice in one folder', async () => {
    const second = new Up(data, port);
    expect(await second.ended).toBe(1);
    expect(second.output).toMatch(/^skein: a federation runs already in .* `skein down` stops it\n$/);
  });

  test('starts an agent again that died', async () => {
    const before = readPidFile(join(data, 'node-2/agent.pid'))!;
    signal(before.pid, 'SIGKILL');
    await until('there is another', () => {
      const now = readPidFile(join(data, 'node-2/agent.pid'));
      return now !== undefined && now.pid !== before.pid;
    });
    await until('the federation is whole', async () => {
      const { out } = await skein('status', '--json');
      return (JSON.parse(out) as FederationStatus).members.filter(({ state }) => state === 'alive').length === 3;
    });
  });

  test('leaves no process when it and its agents are killed and it is started again and stopped', async () => {
    const agents = [1, 2, 3].map((index) => readPidFile(join(data, `node-${index}/agent.pid`))!.pid);
    for (const pid of [up.child.pid!, ...agents]) signal(pid, 'SIGKILL');
    await up.ended;
    // Data planes and replicas go on.
    const left = processesOf(`${data}/`).map(({ pid }) => pid);
    expect(left.length).toBeGreaterThanOrEqual(3);

    up = new Up(data, port);
    await up.ready();
    const swept = new Set(processesOf(`${data}/`).map(({ pid }) => pid));
    expect(left.filter((pid) => swept.has(pid))).toEqual([]);
    expect(await (await fetch(`http://127.0.0.1:${port}/function/echo`, { method: 'POST', body: 'x' })).text()).toBe(
      'x',
    );

    const down = await skein('down', '--json');
    expect(JSON.parse(down.out)).toMatchObject({ stopped: ['node-1', 'node-2', 'node-3'] });
    expect(await up.ended).toBe(0);
    await until('nothing runs', () => processesOf(data).length === 0);
    const nothing = await skein('down');
    expect(nothing).toMatchObject({ code: 0, out: `nothing runs in ${data}\n` });
  });
});

describe('skein up says in one sentence', () => {
  let data = '';
  afterEach(async () => {
    await runSkein(['down', '--data', data]);
    const left = await gone(data);
    chmodSync(data, 0o700);
    rmSync(data, { recursive: true, force: true });
    expect(left).toEqual([]);
  });

  const refused = async (port: number, ...flags: readonly string[]) => {
    const up = new Up(data, port, ...flags);
    const code = await up.ended;
    return { code, output: up.output };
  };

  test('which port is in use, and for what', async () => {
    data = temporaryFolder();
    const port = await portFor(2);
    const other = await listenAt(port + 2_001);
    const { code, output } = await refused(port, '--nodes', '2');
    await new Promise((resolve) => other.close(resolve));
    expect(code).toBe(1);
    expect(output).toMatch(new RegExp(`^skein: port ${port + 2_001} \\(peer of node-2\\) is in use: .*\\n$`));
    expect(processesOf(data)).toEqual([]);
  });

  test.each([
    [['--capacity', '4,8'], /^skein: --capacity names 2 nodes and --nodes 3: make them agree\n$/],
    [['--capacity', '4,0,8'], /each capacity is a whole number from 1 to 1000000/],
    [['--nodes', '0'], /nodes is a whole number from 1 to 50/],
    [['--strategy', 'clever'], /^skein: .*clever.*least-loaded.*\n$/],
  ])('what is wrong with %j', async (flags, sentence) => {
    data = temporaryFolder();
    const { code, output } = await refused(await portFor(3), ...flags);
    expect(output).toMatch(sentence);
    expect(code).toBe(2);
  });

  test('that the data folder cannot be made', async () => {
    data = temporaryFolder();
    writeFileSync(join(data, 'file'), '');
    const run = await runSkein(['up', '--data', join(data, 'file/below'), '--port', String(await portFor(3))]);
    expect(run.code).toBe(1);
    expect(run.err).toMatch(/^skein: the data folder .* cannot be made: .*\n$/);
  });

  // The superuser may write everywhere.
  test.skipIf(process.getuid?.() === 0)('that the data folder may not be written to', async () => {
    data = temporaryFolder();
    chmodSync(data, 0o500);
    const run = await runSkein(['up', '--data', data, '--port', String(await portFor(3))]);
    expect(run.code).toBe(1);
    expect(run.err.trim().split('\n')).toHaveLength(1);
    expect(run.err).toContain(data);
  });
});

describe('skein node says in one sentence', () => {
  let data = '';
  beforeAll(() => {
    data = temporaryFolder();
  });
  afterAll(async () => {
    await runSkein(['down', '--data', data]);
    // Also one that says what is wrong and then does not end.
    await gone(data);
    rmSync(data, { recursive: true, force: true });
  });

  test('what is wrong with a configuration', async () => {
    const file = join(data, 'skein.yaml');
    writeFileSync(file, 'capacity:\n  slotz: 4\n');
    const run = await runSkein(['node', '--config', file, '--data', data]);
    expect(run.code).toBe(2);
    expect(run.err).toMatch(/slotz/);
    expect(run.err).toMatch(/slots/);
    expect(run.err).not.toMatch(/ at .*\.ts/);
  });

  test('that a configuration file is missing', async () => {
    const run = await runSkein(['node', '--config', join(data, 'none.yaml'), '--data', data]);
    expect(run.code).toBe(2);
    expect(run.err).toContain('none.yaml');
    expect(run.err.trim().split('\n')).toHaveLength(1);
  });

  test('which port is in use, and leaves no process', async () => {
    const port = await freePort();
    const other = await listenAt(port);
    const run = await runSkein([
      ...['node', '--data', data, '--node-name', 'late', '--gateway-listen', `127.0.0.1:${port}`],
      ...['--peer-listen', `127.0.0.1:${await freePort()}`, '--metrics-listen', `127.0.0.1:${await freePort()}`],
      ...['--federation-listen', `127.0.0.1:${await freePort()}`],
    ]);
    await new Promise((resolve) => other.close(resolve));
    expect(run.code).toBe(1);
    expect(run.err.trim().split('\n').at(-1)).toMatch(
      new RegExp(`^skein: port ${port} \\(gateway\\) is in use: stop what listens there .*gateway\\.listen$`),
    );
    expect(await gone(data)).toEqual([]);
  });
});
