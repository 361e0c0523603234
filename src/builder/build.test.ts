import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../telemetry/log.ts';
import { build } from './build.ts';
import { buildAndOpen } from './run-bundle.fixture.ts';

let scratch = '';

beforeAll(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'skein-build-'));
});

afterAll(async () => rm(scratch, { recursive: true, force: true }));

/** A folder with these files; what is not text is written as JSON. */
const folderWith = async (files: Readonly<Record<string, unknown>>): Promise<string> => {
  const folder = path.join(await mkdtemp(path.join(scratch, 'source-')), 'fn');
  for (const [name, contents] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, typeof contents === 'string' ? contents : JSON.stringify(contents));
  }
  return folder;
};

const open = async (files: Readonly<Record<string, unknown>>) => buildAndOpen(await folderWith(files), scratch);

const fails = async (files: Readonly<Record<string, unknown>>, message: RegExp): Promise<void> => {
  const folder = await folderWith({ 'unused.txt': '', ...files });
  const out = path.join(scratch, 'fails.tar.gz');
  const failure = build({ folder, image: 'fn', out, log: silentLog });
  await expect(failure).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(message) });
};

const hello = 'export default () => new Response("hello");';

describe('building in node mode', () => {
  it('builds a folder of the OpenFaaS node template unchanged', async () => {
    const { built, call } = await open({
      'handler.js': `'use strict'
        const { double } = require('./lib/double')
        module.exports = async (event, context) => {
          return context.status(201).succeed(double(event.body))
        }`,
      'lib/double.js': 'exports.double = (text) => text + text',
      'package.json': { name: 'fn', main: 'index.js', scripts: { test: 'exit 0' } },
    });
    expect(built.manifest).toMatchObject({ entry: 'handler.mjs', handler: 'event' });
    expect(built.image).toBe('fn:latest');
    expect(await call({ body: 'ab' })).toMatchObject({ status: 201, body: 'abab' });
  });

  it('builds TypeScript with imports, JSON and a dynamic import into one module', async () => {
    const { built, call } = await open({
      'src/main.ts': `import { name } from './name.ts';
        import words from './words.json' with { type: 'json' };
        const handler = async (request: Request): Promise<Response> => {
          const { more } = await import('./more.ts');
          return new Response([request.method, name as string, ...words, more].join(' '));
        };
        export default handler;`,
      'src/name.ts': 'export const name: string = "skein";',
      'src/words.json': ['flies', 'as'],
      'src/more.ts': 'export const more = "one";',
      'package.json': { type: 'module', exports: { '.': { import: './src/main.ts' } } },
    });
    expect(built.files).toEqual(['skein.json', 'src/main.mjs']);
    expect(built.manifest).toMatchObject({ handler: 'auto' });
    expect((await call({})).body).toBe('GET skein flies as one');
  });

  it('takes declared assets along, where the code finds them', async () => {
    const { built, call } = await open({
      'handler.js': `const fs = require('node:fs'); const path = require('node:path');
        module.exports = (event) => fs.readFileSync(path.join(__dirname, 'templates/a.txt'), 'utf8')
          + fs.readFileSync(path.join(__dirname, 'data/deep/b.txt'), 'utf8');`,
      'templates/a.txt': 'A',
      'templates/a.md': 'not asked for',
      'data/deep/b.txt': 'B',
      'package.json': { skein: { assets: ['templates/**/*.txt', 'data'], env: { LANG: 'C' } } },
    });
    expect(built.files).toEqual(['data/deep/b.txt', 'handler.mjs', 'skein.json', 'templates/a.txt']);
    expect(built.manifest.env).toEqual({ LANG: 'C' });
    expect((await call({})).body).toBe('AB');
  });

  it('gives the same digest when it builds the same again', async () => {
    const files = { 'handler.mjs': hello, 'a.txt': 'a', 'skein.json': { assets: ['a.txt'] } };
    const [one, two] = [await open(files), await open(files)];
    expect(two.built).toEqual(one.built);
  });

  it('keeps what settings say, in skein.json', async () => {
    const settings = { mode: 'node', entry: 'lib/x.cjs', handler: 'fetch', threads: true };
    const { built, call } = await open({
      'skein.json': settings,
      'handler.js': 'syntax error here',
      'lib/x.cjs': 'exports.handler = (request) => new Response(request.url);',
    });
    expect(built.manifest).toMatchObject({ entry: 'lib/x.mjs', handler: 'fetch', threads: true });
    expect((await call({ path: '/y' })).body).toBe('http://localhost/y');
  });
});

describe('packages that cannot be bundled', () => {
  const app = 'import a from "a"; import b from "b"; export default () => new Response(a() + " " + b);';

  it('travel with what they depend on, each with its own version', async () => {
    const { built, call } = await open({
      'handler.mjs': app,
      'node_modules/a/package.json': { main: 'a.js', dependencies: { c: '1' }, peerDependencies: { absent: '1' } },
      'node_modules/a/a.js': `const fs = require('fs'); const c = require('c');
        module.exports = () => fs.readFileSync(__dirname + '/a.txt', 'utf8') + c;`,
      'node_modules/a/a.txt': 'file-of-a ',
      'node_modules/a/node_modules/c/package.json': { main: 'c.js' },
      'node_modules/a/node_modules/c/c.js': 'module.exports = "c1";',
      'node_modules/b/package.json': { main: 'b.js', dependencies: { c: '2' } },
      'node_modules/b/b.js': 'const name = "c"; module.exports = require(name);',
      'node_modules/c/package.json': { main: 'c.js' },
      'node_modules/c/c.js': 'module.exports = "c2";',
      'node_modules/unused/package.json': {},
    });
    expect((await call({})).body).toBe('file-of-a c1 c2');
    expect(built.files.filter((file) => file.endsWith('c.js'))).toHaveLength(2);
    expect(built.files).toContain('node_modules/a/a.txt');
    expect(built.files.join()).not.toContain('unused');
  });

  it('are found through links and above the folder, as workspaces have them', async () => {
    const folder = await folderWith({
      'packages/fn/handler.mjs': 'import { a } from "@scope/a/sub.js"; export default () => new Response(a);',
      'packages/fn/skein.json': { external: ['@scope/a'] },
      'store/@scope/a/package.json': { type: 'module' },
      'store/@scope/a/sub.js': 'export const a = "linked";',
      'node_modules/@scope/.keep': '',
    });
    await symlink('../../store/@scope/a', path.join(folder, 'node_modules/@scope/a'));
    const { built, call } = await buildAndOpen(path.join(folder, 'packages/fn'), scratch);
    expect(built.files).toEqual([
      'handler.mjs',
      'node_modules/@scope/a/package.json',
      'node_modules/@scope/a/sub.js',
      'skein.json',
    ]);
    expect((await call({})).body).toBe('linked');
  });

  it('are bundled all the same when the settings say inline', async () => {
    const { built, call } = await open({
      'handler.mjs': 'import a from "a"; export default () => new Response(a);',
      'skein.json': { inline: ['a'] },
      'node_modules/a/package.json': { main: 'a.js' },
      'node_modules/a/a.js': 'module.exports = typeof __dirname;',
    });
    expect(built.files).toEqual(['handler.mjs', 'skein.json']);
    expect((await call({})).body).toBe('string');
  });

  it('travel when they hold a native addon', async () => {
    const { built } = await open({
      'handler.mjs': 'import a from "a"; import own from "./own.cjs"; export default () => new Response(a + own);',
      'own.cjs': 'module.exports = () => require("./build/own.node");',
      'build/own.node': 'machine code',
      'node_modules/a/package.json': { main: 'a.js' },
      'node_modules/a/a.js': 'module.exports = require("./a.node");',
      'node_modules/a/a.node': 'machine code',
    });
    expect(built.files).toContain('node_modules/a/a.node');
    expect(built.files).toContain('build/own.node');
  });

  it('may ask for packages they can do without', async () => {
    const { built, call } = await open({
      'handler.mjs': 'import a from "a"; export default () => new Response(a);',
      'node_modules/a/package.json': { main: 'a.js' },
      'node_modules/a/a.js': 'let x; try { x = require("absent"); } catch { x = "without"; } module.exports = x;',
    });
    expect(built.files).toEqual(['handler.mjs', 'skein.json']);
    expect((await call({})).body).toBe('without');
  });

  it('must be installed', async () => {
    await fails({ 'handler.mjs': hello.replace('(', '("a", '), 'skein.json': { external: 'a' } }, /external/);
    const settings = { external: ['absent'] };
    const source = 'import a from "absent"; export default () => a;';
    await fails({ 'handler.mjs': source, 'skein.json': settings }, /absent is not installed/);
  });
});

describe('what cannot be built says why', () => {
  it.each<readonly [string, Readonly<Record<string, unknown>>, RegExp]>([
    ['no handler', { 'lib.js': hello }, /no handler in .*add handler\.js/],
    ['an entry that is missing', { 'skein.json': { entry: 'x.js' } }, /entry x\.js is not in/],
    ['an entry outside', { 'skein.json': { entry: '../x.js' } }, /entry: must be a path inside/],
    ['a module without exports', { 'handler.mjs': 'console.log(1);' }, /exports no handler/],
    ['a syntax error', { 'handler.ts': 'export default (\n  {;\n' }, /handler\.ts:2:4: Unexpected token/],
    ['a file that is missing', { 'handler.js': '\nrequire("./lib/no")' }, /handler\.js:2:\d+: there is no \.\/lib\/no/],
    [
      'a package that is missing',
      { 'handler.mjs': `import x from "nope";\n${hello}` },
      /handler\.mjs:1:15: there is no nope/,
    ],
    [
      'an asset that is missing',
      { 'handler.mjs': hello, 'skein.json': { assets: ['t/**'] } },
      /asset t\/\*\* is not in/,
    ],
    [
      'an asset outside',
      { 'handler.mjs': hello, 'skein.json': { assets: ['../x'] } },
      /assets\.0: must be a path inside/,
    ],
    ['a misspelt setting', { 'handler.mjs': hello, 'skein.json': { asets: [] } }, /asets/],
    ['settings in two places', { 'handler.mjs': hello, 'skein.json': {}, 'package.json': { skein: {} } }, /keep one/],
    ['settings that are not JSON', { 'handler.mjs': hello, 'skein.json': '{' }, /skein\.json is not JSON/],
    ['a program that is missing', { 'skein.json': { mode: 'http', command: ['./run'] } }, /program \.\/run is not in/],
  ])('%s', async (_, files, message) => fails(files, message));

  it('a folder or an image name that is none', async () => {
    const out = path.join(scratch, 'x.tar.gz');
    const missing = path.join(scratch, 'missing');
    const folder = await folderWith({ 'handler.mjs': hello });
    const pinned = `fn@sha256:${'0'.repeat(64)}`;
    for (const [from, image, message] of [
      [missing, 'fn', /no folder/],
      [folder, 'Not A Name', /no image name/],
      [folder, pinned, /name it fn/],
    ] as const) {
      await expect(build({ folder: from, image, out, log: silentLog })).rejects.toThrow(message);
    }
  });
});

describe('building in http mode', () => {
  it('packs the folder as it is, without what stays at home', async () => {
    const folder = await folderWith({
      'skein.json': { mode: 'http', command: ['./run', '--fast'], ready: '/healthz', ignore: ['notes/', '*.log'] },
      run: '#!/bin/sh\n',
      'lib/data.bin': 'data',
      'notes/private.txt': 'x',
      'debug.log': 'x',
      '.git/HEAD': 'x',
      'node_modules/.cache/x': 'x',
      'node_modules/dep/index.js': 'x',
    });
    await chmod(path.join(folder, 'run'), 0o755);
    const out = path.join(folder, 'fn.tar.gz');
    const first = await build({ folder, image: 'team/fn:2', out, log: silentLog });
    expect(first.files).toEqual(['lib/data.bin', 'node_modules/dep/index.js', 'run', 'skein.json']);
    expect(first.image).toBe('team/fn:2');
    expect(first.manifest).toEqual({
      manifest: 1,
      mode: 'http',
      command: ['./run', '--fast'],
      listen: 'unix',
      ready: '/healthz',
      env: {},
    });
    expect(await build({ folder, image: 'team/fn:2', out, log: silentLog })).toEqual(first);
    const { folder: unpacked } = await buildAndOpen(folder, scratch);
    expect(await readFile(path.join(unpacked, 'lib/data.bin'), 'utf8')).toBe('data');
  });
});

describe('building in classic mode', () => {
  it('needs nothing but the mode, and takes along what else there is', async () => {
    const bare = await folderWith({ 'skein.json': { mode: 'classic' } });
    const out = path.join(scratch, 'classic.tar.gz');
    const built = await build({ folder: bare, image: 'cat', out, log: silentLog });
    expect(built.files).toEqual(['skein.json']);
    expect(built.manifest).toEqual({ manifest: 1, mode: 'classic', env: {} });

    const full = await folderWith({
      'skein.json': { mode: 'classic', fprocess: './run.sh --fast', env: { mode: 'streaming' }, ignore: ['*.md'] },
      'run.sh': '#!/bin/sh\n',
      'notes.md': 'x',
    });
    expect(await build({ folder: full, image: 'cat', out, log: silentLog })).toMatchObject({
      files: ['run.sh', 'skein.json'],
      manifest: { fprocess: './run.sh --fast', env: { mode: 'streaming' } },
    });
  });

  it('misses a program that should be in the folder, and names keys that mean nothing', async () => {
    await fails({ 'skein.json': { mode: 'classic', fprocess: './gone.sh' } }, /gone\.sh is not in .*"fprocess"/);
    await fails({ 'skein.json': { mode: 'classic', command: ['cat'] } }, /command/);
  });
});
