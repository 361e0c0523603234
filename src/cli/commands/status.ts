import type { Command } from 'commander';
import type { FederationMember, FederationStatus } from '../../gateway/needs.ts';
import { textTable } from '../../std/text-table.ts';
import { createClient } from '../client.ts';
import { addGlobals, globalsOf } from '../globals.ts';

const details = `
Shows the federation as one node sees it: who is there, how busy, and how long ago it was heard.
FUNCTIONS are those that can be called there: a replica is ready, or the first call starts one.

Examples:
  skein status
  skein status --gateway http://10.0.0.2:8080 --json`;

export const define = (command: Command): void => {
  command.description('Shows the nodes of the federation.').addHelpText('after', details).action(status);
  addGlobals(command, 'gateway', 'data', 'passwordFile', 'json', 'quiet');
};

const status = async (_flags: object, command: Command): Promise<void> => {
  const globals = globalsOf(command);
  const federation = await createClient(globals).federation();
  if (globals.json) console.log(JSON.stringify(federation));
  else if (globals.quiet) for (const { name } of federation.members) console.log(name);
  else console.log(render(federation));
};

const render = ({ members, strategy, self, catalogue, problems = [] }: FederationStatus): string =>
  [
    textTable(
      ['NODE', 'STATE', 'IN FLIGHT', 'FUNCTIONS', 'RTT', 'HEARD', 'GATEWAY'],
      members.map((member) => row(member)),
      ['left', 'left', 'right', 'right', 'right', 'right'],
    ),
    '',
    `seen from ${self.name}; strategy ${strategy}; ${catalogue.records} records in the catalogue`,
    ...problems.map((problem) => `warning: ${problem}`),
  ].join('\n');

const row = ({ name, state, inFlight, slots, functions, rttMs, ageMs, address }: FederationMember): string[] => [
  name,
  state,
  `${inFlight}/${slots}`,
  String(functions.length),
  rttMs === undefined ? '-' : `${rttMs.toFixed(1)} ms`,
  ageMs === 0 ? 'self' : `${(ageMs / 1000).toFixed(1)} s ago`,
  address,
];
