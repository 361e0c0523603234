import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { FileBundleStore } from '../bundles/file-store.ts';
import { silentLog } from '../telemetry/log.ts';
import { build, type Built } from './build.ts';

const run = promisify(execFile);

export type Call = {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

export type Answer = { readonly status: number; readonly type: string | null; readonly body: string };

/** For tests: calls the handler as a runtime would, alone in a process that may read nothing but the bundle. */
const harness = `
const { entry, handler, call } = JSON.parse(process.env.CALL);
const exported = await import(entry);
const run = exported.default?.handler ?? exported.default ?? exported.handler;
const url = 'http://localhost' + (call.path ?? '/');
const answer = async () => {
  if (handler !== 'event') {
    const body = call.body === undefined ? {} : { body: call.body, method: 'POST' };
    const response = await run(new Request(url, { headers: call.headers, ...body }));
    return { status: response.status, type: response.headers.get('content-type'), body: await response.text() };
  }
  const result = { status: 200, headers: {}, body: '' };
  const context = {
    status: (code) => ((result.status = code), context),
    headers: (headers) => (headers === undefined ? result.headers : ((result.headers = headers), context)),
    succeed: (body) => ((result.body = body), context),
  };
  const query = Object.fromEntries(new URL(url).searchParams);
  const returned = await run({ body: call.body, headers: call.headers ?? {}, query }, context);
  const body = returned === context ? result.body : returned;
  return { status: result.status, type: result.headers['content-type'] ?? null, body };
};
process.stdout.write(JSON.stringify(await answer()));
`;

/** For tests: builds a folder, puts the bundle into a store below `scratch`, and gives what calls it. */
export const buildAndOpen = async (
  folder: string,
  scratch: string,
): Promise<{ readonly built: Built; readonly folder: string; readonly call: (call: Call) => Promise<Answer> }> => {
  const place = await mkdtemp(path.join(scratch, 'built-'));
  const out = path.join(place, 'bundle.tar.gz');
  const built = await build({ folder, image: path.basename(folder), out, log: silentLog });
  const store = await FileBundleStore.open(path.join(place, 'store'));
  await store.put(createReadStream(out), built.digest);
  const opened = await store.open(built.digest);
  if (opened.manifest.mode !== 'node') return { built, folder: opened.folder, call: notNode };
  const { entry, handler } = opened.manifest;
  const call = async (call: Call): Promise<Answer> => {
    const { stdout } = await run(
      process.execPath,
      ['--permission', `--allow-fs-read=${opened.folder}`, '--input-type=module', '-e', harness],
      { env: { CALL: JSON.stringify({ entry: path.join(opened.folder, entry), handler, call }) }, cwd: opened.folder },
    );
    return JSON.parse(stdout) as Answer;
  };
  return { built, folder: opened.folder, call };
};

const notNode = async (): Promise<never> => {
  throw new Error('only node-mode bundles have a handler to call');
};
