import { Argument, InvalidArgumentError, type Command } from 'commander';
import type { CommandEntry } from '../command-entry.ts';
import { bashCompletion } from '../completion/bash.ts';
import { commandTree, shells, type CommandNode } from '../completion/command-tree.ts';
import { fishCompletion } from '../completion/fish.ts';
import { zshCompletion } from '../completion/zsh.ts';
import { UsageError } from '../usage-error.ts';

const details = `
Commands, options and their values are completed, and the names of functions, secrets and
namespaces, which are asked of the node that the line names. In a checkout it works for ./bin/skein
as well.

Examples:
  source <(skein completion bash)                     in ~/.bashrc
  source <(skein completion zsh)                      in ~/.zshrc, after compinit
  skein completion fish > ~/.config/fish/completions/skein.fish`;

export const define = (command: Command, all: readonly CommandEntry[]): void => {
  command
    .description('Prints a script that lets a shell complete what is typed after `skein`.')
    .addArgument(new Argument('[shell]', `the shell: ${shells.join(', ')}`).argParser(shellNamed))
    .addHelpText('after', details)
    .action((shell: Shell | undefined) => print(shell, all));
};

type Shell = (typeof shells)[number];

const scripts: Readonly<Record<Shell, (root: CommandNode) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

const print = async (shell: Shell | undefined, all: readonly CommandEntry[]): Promise<void> => {
  if (shell === undefined) throw new UsageError(`name the shell: ${shells.join(', ')}`);
  process.stdout.write(scripts[shell](await commandTree(all)));
};

function shellNamed(text: string): Shell {
  const found = shells.find((shell) => shell === text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`It must be one of ${shells.join(', ')}.`);
}
