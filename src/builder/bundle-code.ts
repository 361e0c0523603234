import { isBuiltin } from 'node:module';
import path from 'node:path';
import { type PartialResolvedId, type Plugin, rolldown, type RolldownLog } from 'rolldown';
import { SkeinError } from '../domain/errors.ts';
import type { Log } from '../telemetry/log.ts';
import { packageOf, packageOfFile, type PackageUse } from './package-names.ts';

type Request = {
  /** Absolute; a real path. */
  readonly folder: string;
  /** Inside the folder. */
  readonly entry: string;
  readonly external: readonly string[];
  readonly inline: readonly string[];
  readonly log: Log;
};

export type BundledCode = {
  /** One ES module with everything that could be bundled. */
  readonly code: string;
  /** Packages that the code imports by name when it runs. */
  readonly packages: readonly PackageUse[];
  /** The function's own native addons, as paths inside its folder. */
  readonly addons: readonly string[];
};

/**
 * Bundles an entry and all it imports into one ES module for Node. A package that reads files beside itself, requires
 * by a computed name or has a native addon would break in a bundle: it is left out and listed, unless `inline` says
 * otherwise. `invalid` for syntax errors and for imports that lead nowhere, with file and line.
 */
export const bundleCode = async (request: Request): Promise<BundledCode> => {
  const external = new Set(request.external);
  for (;;) {
    const pass = await bundleOnce(request, external);
    // Leaving a package out may show others, which only it had hidden; each pass leaves out at least one more.
    if (pass.unfit.size === 0) return pass;
    for (const name of pass.unfit) external.add(name);
  }
};

const bundleOnce = async (
  request: Request,
  external: ReadonlySet<string>,
): Promise<BundledCode & { readonly unfit: ReadonlySet<string> }> => {
  const { folder, entry, inline, log } = request;
  const unfit = new Set<string>();
  const packages: PackageUse[] = [];
  const addons = new Set<string>();
  const imports = new Set<string>();
  const unresolved: RolldownLog[] = [];
  const plugins = [
    externals({ folder, external, packages, addons, unfit, imports }),
    unfitPackages(new Set(inline), unfit),
  ];
  const onLog = (_level: string, found: RolldownLog): void => {
    // A package may require what it can do without; what is imported must be there.
    const optional = packageOfFile(found.id ?? '') !== undefined && !imports.has(`${found.id}\0${found.exporter}`);
    if (found.code === 'UNRESOLVED_IMPORT' && !optional) unresolved.push(found);
    else log.debug({ code: found.code, file: found.id }, 'the bundler remarked on something');
  };
  const input = path.join(folder, entry);
  try {
    const bundle = await rolldown({ input, cwd: folder, platform: 'node', plugins, onLog });
    const { output } = await bundle.generate({ format: 'esm', codeSplitting: false, entryFileNames: 'bundle.mjs' });
    await bundle.close();
    if (unresolved.length > 0) throw invalid(folder, unresolved);
    checkExports(output[0].exports, input);
    return { code: output[0].code, packages, addons: [...addons], unfit };
  } catch (error) {
    throw isBuildError(error) ? invalid(folder, error.errors, error) : error;
  }
};

type Found = {
  readonly folder: string;
  readonly external: ReadonlySet<string>;
  readonly packages: PackageUse[];
  readonly addons: Set<string>;
  readonly unfit: Set<string>;
  /** What is imported by a statement, as `FILE\0SPECIFIER`. */
  readonly imports: Set<string>;
};

const externals = (found: Found): Plugin => ({
  name: 'skein-externals',
  resolveId: {
    order: 'pre',
    handler: (source, importer, { kind }) => {
      if (importer === undefined || isBuiltin(source)) return null;
      if (source.endsWith('.node') && source.startsWith('.')) return leaveAddon(found, source, importer);
      if (kind === 'import-statement') found.imports.add(`${importer}\0${source}`);
      const name = packageOf(source);
      if (name === undefined || !found.external.has(name)) return null;
      found.packages.push({ name, from: path.dirname(importer) });
      return { id: source, external: true };
    },
  },
});

/** A native addon travels with its package; one of the function's own keeps its place beside the code. */
const leaveAddon = (found: Found, source: string, importer: string): PartialResolvedId => {
  const name = packageOfFile(importer);
  if (name !== undefined) {
    found.unfit.add(name);
    return { id: source, external: true };
  }
  const file = path.resolve(path.dirname(importer), source);
  found.addons.add(path.relative(found.folder, file).split(path.sep).join('/'));
  return { id: file, external: 'relative' };
};

/** Where it stands on the disk, or a name that only the run will tell: neither is true in a bundle. */
const unfitCode =
  /__dirname|__filename|import\.meta\.(?:url|dirname|filename)|require(?:\.resolve)?\s*\(\s*(?:[^'"`\s)]|`[^`]*\$\{)|require\.resolve/;

const unfitPackages = (inline: ReadonlySet<string>, unfit: Set<string>): Plugin => ({
  name: 'skein-unfit-packages',
  transform: {
    filter: { id: /[/\\]node_modules[/\\]/, code: unfitCode },
    handler: (_code, id) => {
      const name = packageOfFile(id);
      if (name !== undefined && !inline.has(name)) unfit.add(name);
      return null;
    },
  },
});

const checkExports = (exports: readonly string[], input: string): void => {
  if (exports.includes('default') || exports.includes('handler')) return;
  throw new SkeinError('invalid', `${input} exports no handler: export a function as default (or as "handler").`);
};

const maxNamedFaults = 5;

const invalid = (folder: string, logs: readonly RolldownLog[], cause?: unknown): SkeinError => {
  const faults = logs.slice(0, maxNamedFaults).map((log) => describe(folder, log));
  return new SkeinError('invalid', `The function cannot be built: ${faults.join('; ')}.`, { cause });
};

/** `FILE:LINE:COLUMN: what is wrong`, in one line. */
const describe = (folder: string, log: RolldownLog): string => {
  const file = path.relative(folder, log.loc?.file ?? log.id ?? '');
  const place = log.loc === undefined ? file : `${file}:${log.loc.line}:${log.loc.column + 1}`;
  if (log.code === 'UNRESOLVED_IMPORT' && log.exporter !== undefined) {
    return `${place}: there is no ${log.exporter} (install it, or correct the name)`;
  }
  const [sentence = ''] = log.message.split('\n');
  return `${place}: ${sentence.replace(/^\[[A-Z_]+\] /, '').replace(/\.$/, '')}`;
};

const isBuildError = (error: unknown): error is Error & { readonly errors: readonly RolldownLog[] } =>
  error instanceof Error && 'errors' in error && Array.isArray(error.errors);
