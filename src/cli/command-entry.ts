import type { Command } from 'commander';

/** A command: what `skein --help` says of it, and where the rest is. The rest is loaded when it is called only. */
export type CommandEntry = {
  readonly name: string;
  readonly summary: string;
  readonly group: string;
  load(): Promise<CommandModule>;
};

/** Adds arguments, options, help and the action; `all` are the commands beside it. */
type CommandModule = { define(command: Command, all: readonly CommandEntry[]): void };
