import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { normaliseImage, parseImage } from '../bundles/image.ts';
import { fileToPack, listFolder, type Ignore } from '../bundles/list-folder.ts';
import { manifest, type Manifest, manifestFile } from '../bundles/manifest.ts';
import { packToFile, type PackFile } from '../bundles/pack.ts';
import { SkeinError, messageOf } from '../domain/errors.ts';
import type { Digest } from '../domain/ids.ts';
import type { Log } from '../telemetry/log.ts';
import { findAssets } from './assets.ts';
import { bundleCode } from './bundle-code.ts';
import { carryPackages } from './carry-packages.ts';
import { findEntry } from './find-entry.ts';
import { handlerKind } from './handler-kind.ts';
import {
  type ClassicSettings,
  type HttpSettings,
  type NodeSettings,
  type PackageJson,
  readSettings,
  type Settings,
} from './settings.ts';

export type BuildRequest = {
  /** The function's folder. */
  readonly folder: string;
  /** What to call it: NAME or NAME:TAG. */
  readonly image: string;
  /** Where the archive goes; its folder must exist. */
  readonly out: string;
  /** A folder with neither settings nor a package.json is a program for the classic watchdog, and this is its command. */
  readonly fprocess?: string;
  readonly log: Log;
};

export type Built = {
  readonly digest: Digest;
  /** Of the archive. */
  readonly bytes: number;
  /** As NAME:TAG. */
  readonly image: string;
  readonly manifest: Manifest;
  /** Paths inside the bundle, sorted. */
  readonly files: readonly string[];
};

/**
 * Makes a bundle of a function's folder. In node mode the handler and all it imports become one ES module; in http
 * and classic mode the folder is packed as it is. Nothing is installed or downloaded, and the same sources give the same digest.
 * `invalid` when the folder cannot become a bundle, with the place to mend; `too-large` past `bundleLimits`; `unavailable` when it cannot be
 * read or written.
 */
export const build = async ({ folder, image, out, fprocess, log }: BuildRequest): Promise<Built> => {
  if (parseImage(image)?.digest !== undefined) {
    throw new SkeinError('invalid', `A bundle's digest is known when it is built: name it ${image.split('@')[0]}.`);
  }
  const name = normaliseImage(image);
  const root = await realFolder(folder);
  const { settings, packageJson } = await readSettings(
    root,
    fprocess === undefined ? {} : { mode: 'classic', fprocess },
  );
  const content = await contentOf(root, settings, packageJson, path.resolve(out), log);
  const files = [...content.files, manifestEntry(content.manifest)];
  const packed = await packToFile(files, out).catch((error: unknown) => {
    if (error instanceof SkeinError) throw error;
    throw new SkeinError('unavailable', `The bundle cannot be written: ${messageOf(error)}.`, { cause: error });
  });
  log.info({ image: name, digest: packed.digest, bytes: packed.bytes, files: files.length }, 'built a bundle');
  return { ...packed, image: name, manifest: content.manifest, files: files.map((file) => file.path).sort() };
};

const contentOf = (
  root: string,
  settings: Settings,
  packageJson: PackageJson | undefined,
  out: string,
  log: Log,
): Promise<Content> => {
  switch (settings.mode) {
    case 'node':
      return nodeContent(root, settings, packageJson, log);
    case 'http':
      return httpContent(root, settings, out);
    case 'classic':
      return classicContent(root, settings, out);
  }
};

type Content = { readonly manifest: Manifest; readonly files: readonly PackFile[] };

const nodeContent = async (
  root: string,
  settings: NodeSettings,
  packageJson: PackageJson | undefined,
  log: Log,
): Promise<Content> => {
  const source = await findEntry(root, settings, packageJson);
  const { external, inline } = settings;
  const { code, packages, addons } = await bundleCode({ folder: root, entry: source, external, inline, log });
  // Beside its source, so that what the code finds relative to itself is there when it runs.
  const entry = source.replace(/\.[^./]+$/, '.mjs');
  const handler = settings.handler ?? handlerKind(source, await readFile(path.join(root, source), 'utf8'));
  const files = [
    { path: entry, contents: Buffer.from(code), executable: false },
    ...(await findAssets(root, settings.assets)),
    ...(await Promise.all(addons.map(async (addon) => fileToPack(root, addon)))),
    ...(await carryPackages(packages)),
  ];
  const native = files.find((file) => file.path.endsWith('.node'));
  if (native !== undefined) {
    log.warn(
      { file: native.path },
      'the bundle has a native addon, which node mode does not load: what needs it wants http mode',
    );
  }
  return { manifest: manifest.parse({ ...common(settings), mode: 'node', entry, handler }), files };
};

const stayAtHome = ['.git', '**/.git', '**/.DS_Store', '**/node_modules/.cache', '.skein'];

const httpContent = async (root: string, settings: HttpSettings, out: string): Promise<Content> => {
  const ignored = ignoring(root, settings.ignore, out);
  const own = await listFolder(root, ignored);
  const known = new Set(own.map((file) => file.path));
  const carried = await carryPackages(settings.packages.map((name) => ({ name, from: root })));
  const files = [...own, ...carried.filter((file) => !known.has(file.path) && !ignored(file.path))];
  const { command, listen, ready } = settings;
  checkProgram(root, files, command[0] ?? '', 'command');
  return { manifest: manifest.parse({ ...common(settings), mode: 'http', command, listen, ready }), files };
};

/** Often there is nothing in the folder but its settings: the program is on PATH, or the deployment names it. */
const classicContent = async (root: string, settings: ClassicSettings, out: string): Promise<Content> => {
  const files = await listFolder(root, ignoring(root, settings.ignore, out));
  const { fprocess } = settings;
  checkProgram(root, files, fprocess?.split(' ', 1)[0] ?? '', 'fprocess');
  return { manifest: manifest.parse({ ...common(settings), mode: 'classic', fprocess }), files };
};

/** A pattern that names a folder stands for all in it. */
const ignoring = (root: string, ignore: readonly string[], out: string): Ignore => {
  const patterns = [...stayAtHome, ...ignore].map((pattern) => pattern.replace(/\/(\*\*)?$/, ''));
  return (inside) =>
    inside === manifestFile ||
    path.join(root, inside) === out ||
    patterns.some((pattern) => path.matchesGlob(inside, pattern) || path.matchesGlob(inside, `${pattern}/**`));
};

const checkProgram = (root: string, files: readonly PackFile[], program: string, setting: string): void => {
  if (!program.startsWith('./') || files.some((file) => file.path === program.slice(2))) return;
  throw new SkeinError('invalid', `The program ${program} is not in ${root}: correct "${setting}" in the settings.`);
};

const common = (settings: Settings) => ({
  manifest: 1,
  env: settings.env,
  ...(settings.mode === 'node' ? { threads: settings.threads } : {}),
});

const manifestEntry = (contents: Manifest): PackFile => ({
  path: manifestFile,
  contents: Buffer.from(`${JSON.stringify(contents, null, 2)}\n`),
  executable: false,
});

const realFolder = async (folder: string): Promise<string> => {
  const root = await realpath(folder).catch(() => undefined);
  if (root !== undefined && (await stat(root)).isDirectory()) return root;
  throw new SkeinError('invalid', `There is no folder ${folder}.`);
};
