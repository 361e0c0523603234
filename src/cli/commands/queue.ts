import type { Command } from 'commander';
import { z } from 'zod';
import { textTable } from '../../std/text-table.ts';
import { createClient, query, type Client } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';

const details = `
Asynchronous calls (/async-function/NAME) wait in the queue of the node that took them; those that
failed for good are kept there as dead letters until they are replayed or dropped. All nodes are
asked; with NATS they share one queue, and the numbers have no node before them.

Examples:
  skein queue list
  skein queue dead
  skein queue replay node-2/42
  skein queue drop node-2/42`;

export const define = (command: Command): void => {
  command
    .description('Shows what waits in the queues of all nodes, and sees to what was given up.')
    .helpCommand(false)
    .addHelpText('after', details);
  const sub = (name: string, summary: string): Command =>
    command.command(name).summary(summary).description(`${summary}.`);
  const commands = [
    sub('list', 'Count the calls that wait, run or were given up').action(list),
    sub('dead', 'List calls and callbacks that were given up').action(dead),
    sub('replay', 'Try one that was given up again').argument('<id>', 'as `dead` shows it').action(replay),
    sub('drop', 'Forget one that was given up').argument('<id>', 'as `dead` shows it').action(drop),
  ];
  for (const one of commands) addGlobals(one, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

const counts = z.object({ waiting: z.number(), running: z.number(), dead: z.number(), oldestAgeMs: z.number() });
const stats = z.array(z.object({ function: z.string(), calls: counts, callbacks: counts }));
const letters = z.array(
  z.object({
    id: z.string(),
    node: z.string().optional(),
    lane: z.string(),
    callId: z.string(),
    why: z.string(),
    attempts: z.number(),
  }),
);

const list = async (_flags: object, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const answer = await createClient(globals).request('GET', '/system/queue');
  tellMissing(missingIn(answer));
  const functions = stats.parse(await answer.json());
  if (globals.json) console.log(JSON.stringify(functions));
  else if (globals.quiet) for (const { function: name } of functions) console.log(name);
  else if (functions.length === 0) console.log('The queue is empty.');
  else console.log(tableOf(functions));
};

const tableOf = (functions: z.infer<typeof stats>): string =>
  textTable(
    ['FUNCTION', 'WAITING', 'RUNNING', 'DEAD', 'OLDEST', 'CALLBACKS'],
    functions.map(({ function: name, calls, callbacks }) => [
      name,
      ...[calls.waiting, calls.running, calls.dead].map(String),
      `${(calls.oldestAgeMs / 1000).toFixed(0)} s`,
      String(callbacks.waiting + callbacks.running),
    ]),
    ['left', 'right', 'right', 'right', 'right', 'right'],
  );

const dead = async (_flags: object, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const given = await readLetters(createClient(globals));
  if (globals.json) console.log(JSON.stringify(given));
  else if (globals.quiet) for (const { id } of given) console.log(id);
  else if (given.length === 0) console.log('Nothing was given up.');
  else
    console.log(
      textTable(
        ['ID', 'NODE', 'FOR', 'CALL ID', 'ATTEMPTS', 'WHY'],
        given.map(({ id, node, lane, callId, attempts, why }) => {
          return [id, node ?? 'all', lane, callId, String(attempts), why];
        }),
      ),
    );
};

/** Letters of one request. */
const pageLength = 1_000;

/** All that there are, page by page. */
const readLetters = async (client: Client): Promise<z.infer<typeof letters>> => {
  const read: z.infer<typeof letters> = [];
  const missing = new Set<string>();
  for (;;) {
    const after = read.at(-1)?.id;
    const answer = await client.request('GET', `/system/queue/dead${query({ limit: String(pageLength), after })}`);
    for (const name of missingIn(answer)) missing.add(name);
    const page = letters.parse(await answer.json());
    read.push(...page);
    if (page.length < pageLength) break;
  }
  tellMissing([...missing]);
  return read;
};

const missingIn = ({ headers }: Response): readonly string[] => headers.get('x-skein-unreachable')?.split(', ') ?? [];

const tellMissing = (names: readonly string[]): void => {
  if (names.length > 0) console.error(`skein: this is without ${names.join(', ')}: no answer`);
};

const replay = (id: string, _flags: object, command: Command): Promise<void> => settle('POST', id, 'replayed', command);
const drop = (id: string, _flags: object, command: Command): Promise<void> => settle('DELETE', id, 'dropped', command);

const settle = async (method: string, id: string, done: string, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  await createClient(globals).request(method, '/system/queue/dead', { id });
  if (globals.json) console.log(JSON.stringify({ id, [done]: true }));
  else if (!globals.quiet) console.log(`${done} ${id}`);
};
