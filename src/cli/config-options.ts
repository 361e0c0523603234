import { availableParallelism, hostname } from 'node:os';
import { Option, type Command } from 'commander';
import { configKeys } from '../config/keys.ts';
import { loadConfig, type LoadedConfig } from '../config/load-config.ts';
import { fallbackText } from '../config/reference.ts';
import type { RawValue } from '../config/schema.ts';
import { SkeinError } from '../domain/errors.ts';
import { strategyNames } from '../strategies/registry.ts';
import { givenGlobal } from './globals.ts';
import { suggest } from './option-values.ts';
import { UsageError } from './usage-error.ts';

/** The setting `data` is the global option `--data`. */
const keysWithFlags = configKeys.filter(({ key }) => key !== 'data');

const placeholders = { text: 'value', number: 'n', list: 'a,b', map: 'k=v,…' } as const;

/** A flag for every setting. */
export const addConfigOptions = (command: Command): Command => {
  for (const key of keysWithFlags) {
    const text = `${key.about.split('. ')[0]!.replace(/\.$/, '')} (default: ${fallbackText(key).replaceAll('`', '')})`;
    const flags = `${key.flag} <${placeholders[key.kind]}>`;
    const option = new Option(flags, text.replaceAll('`', '')).helpGroup('Settings:');
    const choices =
      key.key === 'strategy.name'
        ? strategyNames
        : [...key.type.matchAll(/`([^`]+)`/g)].map(([, choice = '']) => choice);
    if (choices.length > 0) suggest(option, choices);
    command.addOption(option);
  }
  return command;
};

/**
 * The configuration for a command with `addConfigOptions` and the globals `config` and `data`; `extra` is over everything
 * but what was given as a flag. `UsageError` names every problem.
 */
export const configOf = (command: Command, extra: Readonly<Record<string, RawValue>> = {}): LoadedConfig => {
  const given = keysWithFlags.map(({ key, flag }) => [
    key,
    command.getOptionValue(new Option(flag).attributeName()) as RawValue | undefined,
  ]);
  const file = givenGlobal(command, 'config') as string | undefined;
  const data = givenGlobal(command, 'data') as string | undefined;
  try {
    return loadConfig({
      machine: { cores: availableParallelism(), hostname: hostname() },
      cwd: process.cwd(),
      ...(file === undefined ? {} : { file }),
      env: process.env,
      flags: { ...extra, ...givenOnly({ ...Object.fromEntries(given), data }) },
    });
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'invalid') throw new UsageError(error.message, { cause: error });
    throw error;
  }
};

const givenOnly = (flags: Readonly<Record<string, RawValue | undefined>>): Record<string, RawValue> =>
  Object.fromEntries(Object.entries(flags).filter((pair): pair is [string, RawValue] => pair[1] !== undefined));
