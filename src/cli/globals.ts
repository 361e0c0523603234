import { Option, type Command } from 'commander';
import { UsageError } from './usage-error.ts';

/** Options that mean the same in every command that has them; they may stand before or after the command's name. */
export type Globals = {
  readonly config?: string;
  readonly data: string;
  readonly gateway?: string;
  readonly passwordFile?: string;
  readonly json: boolean;
  readonly quiet: boolean;
};

const defaultData = '.skein';

const descriptions: Readonly<Record<keyof Globals, readonly [flags: string, description: string]>> = {
  config: ['--config <file>', 'configuration (default: SKEIN_CONFIG, else ./skein.yaml where there is one)'],
  data: ['--data <dir>', `folder with the state of nodes (default: SKEIN_DATA, else ${defaultData})`],
  gateway: ['--gateway <url>', 'node to talk to (default: SKEIN_GATEWAY, OPENFAAS_URL, else http://127.0.0.1:8080)'],
  passwordFile: ['--password-file <file>', 'password of admin (default: SKEIN_PASSWORD_FILE, else DIR/admin-password)'],
  json: ['--json', 'print JSON, for programs'],
  quiet: ['--quiet', 'print the result and errors only'],
};

export type GlobalName = keyof Globals;

class GlobalOption extends Option {}

/** Lets `command` understand these global options after its name. */
export const addGlobals = (command: Command, ...names: readonly GlobalName[]): Command => {
  for (const name of names) {
    const [flags, description] = descriptions[name];
    command.addOption(new GlobalOption(flags, description).helpGroup('Global options:'));
  }
  return command;
};

/** What was given on the command line, whether before or after the names of the command and its parents. */
export const givenGlobal = (command: Command, name: GlobalName): string | boolean | undefined => {
  for (let at: Command | null = command; at !== null; at = at.parent) {
    const isGlobal = at.options.some((option) => option instanceof GlobalOption && option.attributeName() === name);
    const value = isGlobal ? (at.getOptionValue(name) as string | boolean | undefined) : undefined;
    if (value !== undefined) return value;
  }
  return undefined;
};

/** `UsageError` where `skein --json COMMAND` would print what is no JSON. */
export const refuseJsonOf = (command: Command): void => {
  if (givenGlobal(command, 'json') !== true || command.options.some(({ long }) => long === '--json')) return;
  throw new UsageError(`\`skein ${command.name()}\` prints no JSON: leave out --json`);
};

/** What was given, else what the environment says, else the default. */
export const globalsOf = (command: Command, env = process.env): Globals => {
  const text = (name: GlobalName, ...otherwise: readonly (string | undefined)[]): string | undefined =>
    [givenGlobal(command, name) as string | undefined, ...otherwise].find(
      (value) => value !== undefined && value !== '',
    );
  const config = text('config');
  const gateway = text('gateway', env['SKEIN_GATEWAY'], env['OPENFAAS_URL']);
  const passwordFile = text('passwordFile', env['SKEIN_PASSWORD_FILE']);
  return {
    ...(config === undefined ? {} : { config }),
    data: text('data', env['SKEIN_DATA']) ?? defaultData,
    ...(gateway === undefined ? {} : { gateway }),
    ...(passwordFile === undefined ? {} : { passwordFile }),
    json: givenGlobal(command, 'json') === true,
    quiet: givenGlobal(command, 'quiet') === true,
  };
};
