import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SkeinError } from '../domain/errors.ts';
import { nearestName } from '../std/nearest-name.ts';
import { readConfigFile, type FileLayer } from './config-file.ts';
import { configKeys, type ConfigKey } from './keys.ts';
import { formatListen, parseListen } from './listen.ts';
import { problemsOf } from './problems.ts';
import { configSchema, type Config, type Machine, type RawValue } from './schema.ts';
import { valueFromText } from './text-value.ts';

type Origin = 'default' | 'file' | 'env' | 'flag';

export type ConfigSources = {
  readonly machine: Machine;
  /** Relative paths from the environment and flags count from here. */
  readonly cwd: string;
  /** `--config`; without it `SKEIN_CONFIG`, then `skein.yaml` in `cwd` where there is one. */
  readonly file?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By key: `{ 'gateway.listen': '127.0.0.1:0' }`. Text is read as in the environment. */
  readonly flags: Readonly<Record<string, RawValue | undefined>>;
};

export type LoadedConfig = {
  readonly config: Config;
  /** The file that was read. */
  readonly file?: string;
  /** Every setting with what it is set to, as the file would hold it; those without a value are left out. */
  readonly settings: readonly Setting[];
};

type Setting = { readonly key: string; readonly value: RawValue; readonly origin: Origin };

/**
 * Defaults < `skein.yaml` < `SKEIN_*` < flags, checked as a whole. `invalid` names every problem, one a line, with
 * where it is.
 */
export const loadConfig = (sources: ConfigSources): LoadedConfig => {
  const name = sources.file ?? (sources.env['SKEIN_CONFIG'] || undefined);
  const path = resolve(sources.cwd, name ?? 'skein.yaml');
  const file =
    name !== undefined || existsSync(path) ? readConfigFile(name ?? 'skein.yaml', readText(path)) : undefined;
  const found = new Map<string, Found>();
  for (const key of configKeys) {
    const value = findValue(key, sources, file);
    if (value !== undefined) found.set(key.key, absolute(value, key, dirname(path), sources.cwd));
  }
  const problems = [...(file?.problems ?? []), ...misspeltVariables(sources.env)];
  const parsed = configSchema.safeParse(nested(found));
  if (!parsed.success) problems.push(...problemsOf(parsed.error, (key) => placeOf(key, found.get(key), file)));
  if (parsed.success && parsed.data.federation.listen === undefined) problems.push(...deriveFederation(found));
  if (problems.length > 0) throw new SkeinError('invalid', problems.join('\n'));
  return {
    config: configSchema.parse(nested(found)) as Config,
    ...(file === undefined ? {} : { file: path }),
    settings: [...found].map(([key, { value, origin }]) => ({ key, value: value as RawValue, origin })),
  };
};

/** What one layer says; not checked yet, so it may be anything that YAML can hold. */
type Found = { readonly value: unknown; readonly origin: Origin };

const findValue = (key: ConfigKey, sources: ConfigSources, file: FileLayer | undefined): Found | undefined => {
  const flag = sources.flags[key.key];
  if (flag !== undefined) {
    return { value: typeof flag === 'string' ? valueFromText(flag, key.kind) : flag, origin: 'flag' };
  }
  const variable = sources.env[key.env];
  if (variable !== undefined && variable !== '') return { value: valueFromText(variable, key.kind), origin: 'env' };
  const inFile = file?.values.get(key.key);
  if (inFile !== undefined) return { value: inFile, origin: 'file' };
  const { fallback } = key;
  if (fallback === undefined) return undefined;
  return { value: typeof fallback === 'function' ? fallback(sources.machine) : fallback, origin: 'default' };
};

const absolute = (found: Found, key: ConfigKey, fileFolder: string, cwd: string): Found => {
  if (key.path !== true || typeof found.value !== 'string' || found.value === '') return found;
  return { ...found, value: resolve(found.origin === 'file' ? fileFolder : cwd, found.value) };
};

/** Where people find a setting, for the beginning of a sentence about it. */
const placeOf = (key: string, found: Found | undefined, file: FileLayer | undefined): string => {
  const known = configKeys.find((other) => other.key === key);
  if (found?.origin === 'flag') return known?.flag ?? key;
  if (found?.origin === 'env') return known?.env ?? key;
  return found?.origin === 'file' ? `${file?.place(key) ?? ''}${key}` : key;
};

const nested = (found: ReadonlyMap<string, Found>): unknown => {
  const root: Record<string, Record<string, unknown>> = {};
  for (const { key } of configKeys) {
    const [first = '', second] = key.split('.');
    if (second === undefined) Object.assign(root, { [first]: found.get(key)?.value });
    else root[first] = { ...root[first], ...(found.has(key) ? { [second]: found.get(key)?.value } : {}) };
  }
  return root;
};

const federationOffset = 1000;

/** Sets `federation.listen` beside `peer.listen`; says so when there is no such port. */
const deriveFederation = (found: Map<string, Found>): string[] => {
  const peer = parseListen(String(found.get('peer.listen')?.value));
  if (peer === undefined) return [];
  const port = peer.port === 0 ? 0 : peer.port + federationOffset;
  if (port > 65_535) {
    return [`federation.listen must be set: its default, the port of peer.listen + ${federationOffset}, is past 65535`];
  }
  found.set('federation.listen', { value: formatListen({ host: peer.host, port }), origin: 'default' });
  return [];
};

/** Other `SKEIN_` variables may be anyone's (Kubernetes makes some); one that is a slip or two away is a mistake. */
const misspeltVariables = (env: ConfigSources['env']): string[] => {
  const known = [...configKeys.map((key) => key.env), ...otherVariables];
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith('SKEIN_') || known.includes(name)) return [];
    const meant = nearestName(name, known, 2);
    return meant === undefined ? [] : [`${name} is no setting: did you mean ${meant}?`];
  });
};

/** Read by the commands that talk to a gateway. */
const otherVariables = ['SKEIN_CONFIG', 'SKEIN_GATEWAY', 'SKEIN_PASSWORD_FILE'];

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SkeinError('invalid', `cannot read the configuration ${path}: ${(cause as Error).message}`, { cause });
  }
};
