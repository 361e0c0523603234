import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Our own code in the processes of functions. */
export type Runtime = {
  /** The workers' folder: the only thing beside their slots that they may read. */
  readonly folder: string;
  readonly worker: string;
  readonly watchdog: string;
};

const source = fileURLToPath(new URL('../../', import.meta.url));
const workerFolder = 'providers/process/worker';
const watchdogFolder = 'providers/process/watchdog';
const shared = ['std/duration.ts', 'std/process-identity.ts'];

/**
 * Processes start twice as fast, and with two thirds of the memory, from plain JavaScript: in a checkout the types are
 * taken out once, into `folder`. A packed Skein is JavaScript already and is used where it is.
 */
export const prepareRuntime = async (folder: string): Promise<Runtime> => {
  if (extname(fileURLToPath(import.meta.url)) === '.js') return runtimeIn(source);
  await rm(folder, { recursive: true, force: true });
  const files = [...shared, ...(await sourcesIn(workerFolder)), ...(await sourcesIn(watchdogFolder))];
  for (const place of new Set(files.map((file) => dirname(file)))) {
    await mkdir(join(folder, place), { recursive: true, mode: 0o700 });
    await writeFile(join(folder, place, 'package.json'), '{"type":"module"}\n');
  }
  await Promise.all(
    files.map(async (file) => writeFile(join(folder, file.replace(/ts$/, 'js')), await plainCode(file))),
  );
  return runtimeIn(folder);
};

/** Of our own files, by their paths. */
const stripped = new Map<string, Promise<string>>();

/** Without types. What it costs is paid once, however many providers a process has. */
const plainCode = (file: string): Promise<string> => {
  const known = stripped.get(file) ?? strip(file);
  stripped.set(file, known);
  return known;
};

const strip = async (file: string): Promise<string> => {
  const code = stripTypeScriptTypes(await readFile(join(source, file), 'utf8'));
  return code.replaceAll(/(from '\.{1,2}\/[\w/.-]+)\.ts'/g, "$1.js'");
};

const runtimeIn = (root: string): Runtime => ({
  folder: join(root, workerFolder),
  worker: join(root, workerFolder, 'main.js'),
  watchdog: join(root, watchdogFolder, 'main.js'),
});

const sourcesIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(join(source, folder)))
    .filter((name) => name.endsWith('.ts') && !/\.(test|testing)\.ts$/.test(name))
    .map((name) => `${folder}/${name}`);
