import type { Command } from 'commander';
import { configKeys } from '../../config/keys.ts';
import { configReference, fallbackText } from '../../config/reference.ts';
import type { RawValue } from '../../config/schema.ts';
import { textTable } from '../../std/text-table.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import { addGlobals, globalsOf } from '../globals.ts';

const details = `
Examples:
  skein config print                        what \`skein node\` would run with here
  skein config print --config skein.yaml    check a file: exit code 2 when anything is wrong
  skein config reference                    every setting, as Markdown`;

const printDetails = `
Each value is shown with its origin: default, file, env or flag. Keys and passwords are in files of
their own; nothing here is secret.

Examples:
  skein config print
  SKEIN_CAPACITY_SLOTS=4 skein config print --strategy-name recalc --json`;

export const define = (command: Command): void => {
  command
    .description('Shows the configuration of a node: the defaults, skein.yaml, SKEIN_* and flags put together.')
    .helpCommand(false)
    .addHelpText('after', details);
  const print = command
    .command('print')
    .summary('show what is in force and where it comes from')
    .description('Checks the configuration and prints what is in force.')
    .addHelpText('after', printDetails)
    .action((_, print: Command) => printConfig(print));
  addGlobals(print, 'config', 'data', 'json');
  addConfigOptions(print);
  const reference = command
    .command('reference')
    .summary('list every setting')
    .description('Prints the reference of all settings, as Markdown.')
    .action((_, reference: Command) => printReference(reference));
  addGlobals(reference, 'json');
};

const printReference = (command: Command): void => {
  if (!globalsOf(command).json) return console.log(configReference().trimEnd());
  const settings = configKeys.map((key) => ({
    key: key.key,
    flag: key.flag,
    env: key.env,
    kind: key.kind,
    about: key.about,
    default: fallbackText(key).replaceAll('`', ''),
  }));
  console.log(JSON.stringify(settings));
};

const printConfig = (command: Command): void => {
  const { settings, file } = configOf(command);
  if (globalsOf(command).json) {
    const values = Object.fromEntries(settings.map(({ key, value, origin }) => [key, { value, origin }]));
    console.log(JSON.stringify({ file: file ?? null, settings: values }));
    return;
  }
  const rows = configKeys.flatMap(({ key }) => {
    const setting = settings.find((setting) => setting.key === key);
    return setting === undefined ? [] : [[key, shown(setting.value), setting.origin]];
  });
  console.log(file === undefined ? '# no file' : `# ${file}`);
  console.log(textTable(['SETTING', 'VALUE', 'ORIGIN'], rows));
};

const shown = (value: RawValue): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));
