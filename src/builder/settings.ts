import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { bundlePath } from '../bundles/bundle-paths.ts';
import { manifestFile } from '../bundles/manifest.ts';
import { SkeinError, messageOf } from '../domain/errors.ts';

/**
 * How a function's folder is built: `skein.json` in it, or the key `skein` of its `package.json`. Without either it is
 * a node-mode function with every default. Paths and globs are relative to the folder and stay inside it.
 */
const inside = z
  .string()
  .min(1)
  .refine((text) => isInside(text), 'must be a path inside the function folder');
const packageNames = z.array(z.string().regex(/^(@[^/@\s]+\/)?[^/@\s]+$/, 'must be the name of a package'));
const common = { manifest: z.literal(1).optional(), env: z.record(z.string(), z.string()).optional() };

const nodeSettings = z.strictObject({
  ...common,
  mode: z.literal('node').default('node'),
  /** The file that exports the handler. Without it: `main` or `exports` of package.json, then `handler.*`, then `index.*`. */
  entry: inside.optional(),
  handler: z.enum(['auto', 'event', 'fetch']).optional(),
  threads: z.boolean().optional(),
  /** Globs of files that the function reads when it runs. A folder stands for everything in it. */
  assets: z.array(inside).default([]),
  /** Packages that are taken along as they are instead of being bundled. */
  external: packageNames.default([]),
  /** Packages that are bundled although they look as if they read files beside themselves. */
  inline: packageNames.default([]),
});

const httpSettings = z.strictObject({
  ...common,
  mode: z.literal('http'),
  command: z.array(z.string().min(1)).min(1).max(64),
  listen: z.enum(['unix', 'tcp']).optional(),
  ready: z.string().startsWith('/').optional(),
  /** Packages that are taken along from where they are installed, with all they depend on. */
  packages: packageNames.default([]),
  /** Globs of what stays at home, beside `.git`, `node_modules/.cache` and their like. */
  ignore: z.array(inside).default([]),
});

const classicSettings = z.strictObject({
  ...common,
  mode: z.literal('classic'),
  fprocess: z.string().min(1).max(4096).optional(),
  ignore: z.array(inside).default([]),
});

export type NodeSettings = z.infer<typeof nodeSettings>;
export type HttpSettings = z.infer<typeof httpSettings>;
export type ClassicSettings = z.infer<typeof classicSettings>;
export type Settings = NodeSettings | HttpSettings | ClassicSettings;

/** What matters here of a function's `package.json`. */
const packageJson = z.looseObject({
  main: z.string().optional(),
  exports: z.unknown().optional(),
  skein: z.unknown().optional(),
});
export type PackageJson = z.infer<typeof packageJson>;

/**
 * `otherwise` is what holds for a folder that says nothing of itself: neither `skein.json` nor `package.json`. `invalid` for a
 * folder that is none, for JSON that is none, and for settings that make no sense.
 */
export const readSettings = async (
  folder: string,
  otherwise: unknown = {},
): Promise<{ readonly settings: Settings; readonly packageJson: PackageJson | undefined }> => {
  const pkg = await readJson(path.join(folder, 'package.json'));
  const own = await readJson(path.join(folder, manifestFile));
  const parsedPackage = pkg === undefined ? undefined : check(packageJson, pkg, path.join(folder, 'package.json'));
  const key = parsedPackage?.skein;
  if (own !== undefined && key !== undefined) {
    throw new SkeinError(
      'invalid',
      `${folder} has ${manifestFile} and a "skein" key in package.json: keep one of them.`,
    );
  }
  const place = key === undefined ? path.join(folder, manifestFile) : `"skein" in ${path.join(folder, 'package.json')}`;
  const said = own ?? key ?? (pkg === undefined ? otherwise : {});
  return { settings: parseSettings(said, place), packageJson: parsedPackage };
};

const parseSettings = (raw: unknown, place: string): Settings => {
  const mode = typeof raw === 'object' && raw !== null && 'mode' in raw ? raw.mode : 'node';
  if (mode === 'http') return check(httpSettings, raw, place);
  return mode === 'classic' ? check(classicSettings, raw, place) : check(nodeSettings, raw, place);
};

const check = <Schema extends z.ZodType>(schema: Schema, raw: unknown, place: string): z.infer<Schema> => {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`);
  throw new SkeinError('invalid', `${place} makes no sense: ${faults.join('; ')}.`);
};

const readJson = async (file: string): Promise<unknown> => {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw new SkeinError('invalid', `${file} cannot be read: ${error.message}.`);
  });
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SkeinError('invalid', `${file} is not JSON: ${messageOf(cause)}.`, { cause });
  }
};

const isInside = (text: string): boolean => {
  try {
    return bundlePath(text) !== '';
  } catch {
    return false;
  }
};
