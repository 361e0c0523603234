import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import type { ProcessProvider } from './process-provider.ts';
import {
  call,
  classicBundle,
  eventually,
  httpBundle,
  makeProvider,
  nodeBundle,
  type Bench,
  type Files,
} from './provider.testing.ts';
import { findSecretMounts } from './secret-mounts.ts';

/** Not ended by a new line, and with bytes that a shell would lose. */
const valueOf = (name: string): string => `\0${name}\r\n\u0001\u00e9 `;
const secrets = (_: string, names: readonly string[]): ReadonlyMap<string, Uint8Array> =>
  new Map(names.map((name) => [name, Buffer.from(valueOf(name))]));

const mountsHere = !('why' in (await findSecretMounts(systemClock, '/var/openfaas/secrets')));

/** A folder that has what others have in `/var`, the node's own state too. */
let home: string;
let place: string;
let bench: Bench;
let provider: ProcessProvider;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'skein-v-'));
  place = join(home, 'var', 'openfaas', 'secrets');
  await mkdir(join(home, 'var', 'a folder #1\\'), { recursive: true });
  await writeFile(join(home, 'var', 'a folder #1\\', 'file'), 'in the folder');
  await writeFile(join(home, 'var', 'a file'), 'beside it');
  await symlink('a file', join(home, 'var', 'a link'));
  bench = await makeProvider({
    folder: join(home, 'var', 'state'),
    runFolder: join(home, 'var', 'run'),
    secrets,
    secretMounts: () => findSecretMounts(systemClock, place),
  });
  provider = bench.provider;
});

afterEach(async () => {
  await bench.close();
  await rm(home, { recursive: true, force: true });
});

const deploy = async (name: string, files: Files, names: readonly string[], env = {}): Promise<void> => {
  const spec = await bench.spec({ name, namespace: 'openfaas-fn' }, '1', files, env);
  await provider.deploy({ ...spec, deployment: { ...spec.deployment, secrets: [...names] } }, 1);
};

const ask = async (name: string): Promise<string> => {
  const [replica] = provider.resolve({ name, namespace: 'openfaas-fn' });
  return (await call(replica, { method: 'POST' })).text;
};

const tell = (path: string): string => `
  const { readdirSync, readFileSync } = await import('node:fs');
  const tell = () => JSON.stringify(readdirSync('${path}').map((name) => [name, readFileSync('${path}/' + name, 'utf8')]));`;
const inNode = (path: string): Files => nodeBundle(`${tell(path)} export default () => new Response(tell());`);
const inHttp = (path: string): Files =>
  httpBundle(`${tell(path)}
    const { createServer } = await import('node:http');
    createServer((_, response) => response.end(tell())).listen(process.env.PORT);`);
const inClassic = (path: string): Files =>
  classicBundle('node main.mjs', { 'main.mjs': `${tell(path)} process.stdout.write(tell());` });

const modes = [
  ['node', inNode],
  ['http', inHttp],
  ['classic', inClassic],
] as const;

/** What runs on this machine and was told of `place`, as far as this user may see. */
const processesThatKnow = async (word: string): Promise<readonly string[]> => {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    const line = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : '';
    if (line.includes(word)) found.push(line.replaceAll('\0', ' '));
  }
  return found;
};

describe.skipIf(!mountsHere).each([
  ['is there', true],
  ['is not there and cannot be made', false],
])('where the folder of secrets %s', (_, there) => {
  beforeEach(async () => {
    if (there) await mkdir(place, { recursive: true });
  });

  it('a program of the machine reads a secret where OpenFaaS has it, byte for byte', async () => {
    await deploy('cat', classicBundle(`cat ${place}/api-key`), ['api-key']);
    expect(await ask('cat')).toBe(valueOf('api-key'));
  });

  it.each(modes)('each function of %s mode sees its own secrets, and this process none', async (_mode, files) => {
    await deploy('one', files(place), ['api-key', 'password']);
    await deploy('two', files(place), ['api-key', 'certificate']);
    expect(new Map(JSON.parse(await ask('one')))).toEqual(
      new Map(['api-key', 'password'].map((name) => [name, valueOf(name)])),
    );
    expect(new Map(JSON.parse(await ask('two')))).toEqual(
      new Map(['api-key', 'certificate'].map((name) => [name, valueOf(name)])),
    );
    expect(await readdir(place).catch(() => [])).toEqual([]);
  });

  it.each(modes)('nothing of the secrets of a function of %s mode is left when it is removed', async (_mode, files) => {
    await deploy('one', files(place), ['api-key']);
    await ask('one');
    await provider.remove({ name: 'one', namespace: 'openfaas-fn' });
    expect(await readdir(join(home, 'var', 'state', 'slots'))).toEqual([]);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(home);
    await eventually(async () => (await processesThatKnow(place)).length === 0);
  });

  it('programs cannot write there, and see all else as it is', async () => {
    const script = `#!/bin/sh
      cat '${home}/var/a folder #1\\/file' '${home}/var/a file' '${home}/var/a link'
      mkdir ${place}/folder 2>/dev/null || printf ' no'`;
    await deploy('looks', classicBundle('look', { look: script }), ['api-key']);
    expect(await ask('looks')).toBe('in the folderbeside itbeside it no');
  });

  it('a program that does not become ready leaves nothing', async () => {
    await expect(
      deploy('ends', httpBundle(`${tell(place)} console.log(tell()); process.exit(3);`), ['api-key']),
    ).rejects.toMatchObject({ message: expect.stringMatching(/exited with code 3 .*api-key/) });
    await provider.remove({ name: 'ends', namespace: 'openfaas-fn' });
    expect(await readdir(join(home, 'var', 'state', 'slots'))).toEqual([]);
    await eventually(async () => (await processesThatKnow(place)).length === 0);
  });

  it('a program that is not there is told of by its name', async () => {
    await expect(deploy('lacks', classicBundle('no-such-program'), ['api-key'])).rejects.toThrow('"no-such-program"');
  });
});

describe.skipIf(!mountsHere)('a program with secrets', () => {
  it('is the same user with the same rights, and has the environment that it was given', async () => {
    const code = `
      import { readFileSync } from 'node:fs';
      import { createServer } from 'node:http';
      const rights = /CapEff:\\s*(\\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
      const { 'a.b': dotted, SECRETS_PATH } = process.env;
      const answer = JSON.stringify([process.getuid(), process.getgid(), rights, process.cwd(), dotted, SECRETS_PATH]);
      createServer((_, response) => response.end(answer)).listen(process.env.PORT);`;
    await deploy('who', httpBundle(code), ['api-key'], { 'a.b': 'kept' });
    await deploy('plain', httpBundle(code), [], { 'a.b': 'kept' });
    const [uid, gid, rights, folder, dotted, path] = JSON.parse(await ask('who')) as readonly string[];
    const plain = JSON.parse(await ask('plain')) as readonly string[];
    expect([uid, gid, rights, dotted]).toEqual([plain[0], plain[1], plain[2], plain[4]]);
    expect(folder).toContain(join(home, 'var', 'state', 'slots'));
    expect(path).toBe(place);
    expect(plain[5]).toBeNull();
  });
});

it.each([
  ['node', nodeBundle(`${tell("' + process.env.SECRETS_PATH + '")} export default () => new Response(tell());`)],
  ['classic', classicBundle('show', { show: '#!/bin/sh\nexec cat "$SECRETS_PATH/api-key"' })],
])('a function of %s mode has its secrets still when its agent was killed and another took over', async (_, files) => {
  const ref = { name: 'stays', namespace: 'openfaas-fn' };
  const spec = await bench.spec(ref, '1', files);
  const deployed = { ...spec, deployment: { ...spec.deployment, secrets: ['api-key'] } };
  const args = [join(import.meta.dirname, 'agent.testing.ts'), bench.folder, JSON.stringify(deployed)];
  const agent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(agent.stdout, 'data');
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  await bench.provider.stop();
  provider = bench.another({ folder: join(bench.folder, 'state'), runFolder: join(bench.folder, 'run') });
  await provider.start();
  expect(await ask('stays')).toContain('what api-key is');
  await provider.stop(1000);
  expect(await readdir(join(bench.folder, 'state', 'slots'))).toEqual([]);
});

describe('where there are no mount namespaces', () => {
  it('functions find their secrets in the folder that SECRETS_PATH names, and the log says so', async () => {
    const said: unknown[] = [];
    const log = { ...silentLog, info: (fields: object) => void said.push(fields) };
    await bench.close();
    bench = await makeProvider({ log, secrets, secretMounts: async () => ({ why: 'it may not mount' }) });
    provider = bench.provider;
    const show = '#!/bin/sh\ncat "$SECRETS_PATH/api-key"';
    await deploy('shows', classicBundle('show', { show }), ['api-key']);
    expect(await ask('shows')).toBe(valueOf('api-key'));
    expect(said).toEqual([{ why: 'it may not mount' }]);
  });

  it('are told of with the reason', async () => {
    vi.stubEnv('PATH', home);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(await findSecretMounts(systemClock, place)).toEqual({ why: expect.stringContaining('"unshare"') });
  });
});
