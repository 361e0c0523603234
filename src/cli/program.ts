import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { CommandEntry } from './command-entry.ts';
import { addGlobals, refuseJsonOf } from './globals.ts';

const examples = `
Examples:
  skein deploy ./hello            build the function in ./hello and deploy it everywhere
  skein invoke hello --body Ada   call it
  skein list                      what is deployed

\`skein COMMAND --help\` says more. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.`;

/** Of help that no terminal shows. */
const helpWidth = 100;

/** The command line of Skein. Commands define themselves when they are called. */
export const createProgram = (entries: readonly CommandEntry[]): Command => {
  const program = new Command('skein')
    .description('A Function-as-a-Service federation: deploy once, run at every node, serve where there is room.')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({ showGlobalOptions: false, subcommandTerm: (command) => command.name() })
    .configureOutput({
      getOutHelpWidth: () => (process.stdout.isTTY ? process.stdout.columns : helpWidth),
      getErrHelpWidth: () => (process.stderr.isTTY ? process.stderr.columns : helpWidth),
      outputError: (text, write) => write(text.replace(/^error: /, 'skein: ')),
    })
    .showHelpAfterError('skein: add --help for help')
    .addHelpText('after', examples);
  addGlobals(program, 'config', 'data', 'gateway', 'passwordFile', 'json', 'quiet');
  for (const entry of entries) program.command(entry.name).summary(entry.summary).helpGroup(entry.group);
  program.hook('preSubcommand', async (_, command) => {
    const entry = entries.find(({ name }) => name === command.name());
    if (entry !== undefined) (await entry.load()).define(command, entries);
  });
  program.hook('preAction', (_, command) => refuseJsonOf(command));
  return program;
};

/** `skein help X` is `skein X --help`. */
export const plainArguments = (args: readonly string[]): readonly string[] =>
  args[0] === 'help' ? [...args.slice(1), '--help'] : args;

const version = (): string => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
};
