import type { Argument, Command, Option } from 'commander';
import type { CommandEntry } from '../command-entry.ts';
import { createProgram } from '../program.ts';
import { suggestionsOf } from '../option-values.ts';

/** What may stand for an option's value or an argument: names that a node is asked for, paths, fixed words, or anything. */
export type Values = Named | 'file' | 'dir' | 'any' | readonly string[];

/** What has names that a node knows, with the command that prints them one a line. */
export const namedBy = {
  function: 'list',
  secret: 'secret list',
  namespace: 'namespace list',
  node: 'status',
  dead: 'queue dead',
} as const;

export type Named = keyof typeof namedBy;

/** Those whose names are kept apart by `--namespace`. */
export const inNamespaces: readonly Named[] = ['function', 'secret'];

export type OptionNode = {
  /** As it is typed: `-f`, `--follow`. */
  readonly names: readonly string[];
  readonly about: string;
  /** undefined when it takes no value. */
  readonly values: Values | undefined;
  /** Understood, but not offered. */
  readonly hidden: boolean;
};

export type CommandNode = {
  /** Its names from the top, such as `secret list`; empty for the program itself. */
  readonly path: string;
  readonly name: string;
  readonly about: string;
  readonly options: readonly OptionNode[];
  /** By position; the last one goes on where it may be repeated. */
  readonly args: readonly Values[];
  readonly repeats: boolean;
  readonly commands: readonly CommandNode[];
};

/** Everything that can be typed, from the commands' own definitions. */
export const commandTree = async (entries: readonly CommandEntry[]): Promise<CommandNode> => {
  const program = createProgram(entries);
  for (const entry of entries) {
    const command = program.commands.find((one) => one.name() === entry.name);
    if (command !== undefined) (await entry.load()).define(command, entries);
  }
  return nodeOf(program, '');
};

/** All commands that do something, the deepest of each branch. */
export const leavesOf = (node: CommandNode): readonly CommandNode[] =>
  node.commands.length === 0 ? [node] : node.commands.flatMap(leavesOf);

const nodeOf = (command: Command, path: string): CommandNode => ({
  path,
  name: command.name(),
  about: command.summary(),
  options: [...command.options.map(optionOf), help],
  args: command.registeredArguments.map(valuesOfArgument),
  repeats: command.registeredArguments.at(-1)?.variadic === true,
  commands: command.commands.map((sub) => nodeOf(sub, path === '' ? sub.name() : `${path} ${sub.name()}`)),
});

const help: OptionNode = { names: ['-h', '--help'], about: 'show help', values: undefined, hidden: false };

const optionOf = (option: Option): OptionNode => ({
  names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
  about: option.description,
  hidden: option.hidden,
  values: option.required || option.optional ? (suggestionsOf(option) ?? valuesOf(placeholderOf(option))) : undefined,
});

const placeholderOf = (option: Option): string =>
  namedOptions[option.long ?? ''] ?? /[<[]([^>\]]+)/.exec(option.flags)?.[1] ?? '';

const namedOptions: Readonly<Record<string, Named>> = {
  '--namespace': 'namespace',
  '--secret': 'secret',
  '--instance': 'node',
};

/** An argument is described as what it is the name of. */
const valuesOfArgument = (argument: Argument): Values => {
  if (argument.description === 'as `dead` shows it') return 'dead';
  return valuesOf(/^(?:the|their) (function|secret|namespace)s?$/.exec(argument.description)?.[1] ?? argument.name());
};

const valuesOf = (placeholder: string): Values => {
  switch (placeholder) {
    case 'function':
    case 'secret':
    case 'namespace':
    case 'node':
    case 'file':
    case 'dir':
      return placeholder;
    case 'what':
      return 'file';
    case 'shell':
      return shells;
    default:
      return 'any';
  }
};

export const shells = ['bash', 'zsh', 'fish'] as const;
