import type { CommandEntry } from './command-entry.ts';

const running = 'Running:';
const functions = 'Functions:';
const tools = 'Tools:';

/** Every command there is. A new one is a file in commands/ and a line here. */
export const commands: readonly CommandEntry[] = [
  { name: 'up', summary: 'start a federation on this machine', group: running, load: () => import('./commands/up.ts') },
  {
    name: 'down',
    summary: 'stop what runs in the data folder',
    group: running,
    load: () => import('./commands/down.ts'),
  },
  {
    name: 'status',
    summary: 'show the nodes and how busy they are',
    group: running,
    load: () => import('./commands/status.ts'),
  },
  { name: 'node', summary: 'run one node', group: running, load: () => import('./commands/node.ts') },
  {
    name: 'build',
    summary: 'pack a function into a bundle',
    group: functions,
    load: () => import('./commands/build.ts'),
  },
  { name: 'deploy', summary: 'deploy functions', group: functions, load: () => import('./commands/deploy.ts') },
  { name: 'list', summary: 'list functions', group: functions, load: () => import('./commands/list.ts') },
  { name: 'describe', summary: 'show one function', group: functions, load: () => import('./commands/describe.ts') },
  { name: 'invoke', summary: 'call a function', group: functions, load: () => import('./commands/invoke.ts') },
  { name: 'remove', summary: 'remove functions', group: functions, load: () => import('./commands/remove.ts') },
  {
    name: 'override',
    summary: 'let a function differ from node to node',
    group: functions,
    load: () => import('./commands/override.ts'),
  },
  {
    name: 'logs',
    summary: 'show what a function wrote, at all nodes',
    group: functions,
    load: () => import('./commands/logs.ts'),
  },
  {
    name: 'scale',
    summary: 'set how many replicas of a function run',
    group: functions,
    load: () => import('./commands/scale.ts'),
  },
  {
    name: 'secret',
    summary: 'keep what functions may know and others may not',
    group: functions,
    load: () => import('./commands/secret.ts'),
  },
  {
    name: 'namespace',
    summary: 'keep the functions of teams apart',
    group: functions,
    load: () => import('./commands/namespace.ts'),
  },
  {
    name: 'queue',
    summary: 'asynchronous calls that wait or failed',
    group: functions,
    load: () => import('./commands/queue.ts'),
  },
  { name: 'load', summary: 'send load and measure', group: tools, load: () => import('./commands/load.ts') },
  {
    name: 'config',
    summary: 'show or explain the configuration',
    group: tools,
    load: () => import('./commands/config.ts'),
  },
  {
    name: 'completion',
    summary: 'let a shell complete commands and names',
    group: tools,
    load: () => import('./commands/completion.ts'),
  },
];
