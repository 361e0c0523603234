import { anchorOf } from './anchor.ts';
import { functionBackends, functionDefaults, later, peersBackend, system, verdicts, waiting } from './backends.ts';
import { common } from './common.ts';
import { againFrontend, metricsFrontend, peerFrontend, publicFrontend } from './frontends.ts';
import { addedOnTheWay, keptBytes, mostHeaders, type Section } from './rules.ts';
import { recordRing } from './record-rules.ts';
import { entries, mapNames } from './entries.ts';
import { refusalRules } from './refusal-rules.ts';
import { peerServers } from './servers.ts';
import { paths, type Settings } from './settings.ts';
import type { Shape } from './shape.ts';

export type Compiled = {
  readonly configuration: string;
  /** What must lie beside it, by path. */
  readonly files: { readonly [path: string]: string };
};

/** From a plan and its names to the text that HAProxy is started with. The same in, the same out. */
export const compile = (shape: Shape, settings: Settings): Compiled => {
  const where = paths(settings);
  const peers = peerServers(shape, where);
  const maps = entries(shape);
  const files: Record<string, string> = {};
  for (const name of mapNames) {
    files[where.map(name)] = [...maps[name]].map(([key, value]) => `${key} ${value}\n`).join('');
  }
  for (const { name, publicKey } of peers) files[where.anchor(name)] = `${anchorOf(publicKey)}\n`;
  const sections = [
    global(settings),
    base(settings),
    ...tables,
    ...recordRing(settings),
    publicFrontend(settings),
    peerFrontend(settings),
    againFrontend(settings),
    metricsFrontend(settings),
    ['backend refusals from base', ...refusalRules(settings.nodeName)],
    verdicts(settings),
    waiting(settings),
    system('system', settings.systemSocket, []),
    later(settings),
    system('peer_system', settings.peerSystemSocket, [
      'http-request set-header X-Skein-Peer %[var(txn.peer),map_str(' + where.map('ids') + ')]',
    ]),
    peersBackend(settings, peers),
    functionDefaults(settings),
    ...functionBackends(shape, settings),
  ];
  const configuration = sections.map(([head = '', ...lines]) => [head, ...lines.map((line) => `  ${line}`)].join('\n'));
  return { configuration: `${configuration.join('\n\n')}\n`, files };
};

/** With room for what is added. */
const bufferBytes = (settings: Settings): number => keptBytes(settings) + 8_192;

/** Buffers of some hundred calls at once; HAProxy's own 512 kB are those of a dozen, and what is beyond goes back to the system each time. */
const hotBytes = 16 * 1024 * 1024;

const global = (settings: Settings): Section => [
  'global',
  'master-worker',
  // Two nodes would share a port, and each get some of the calls; a new worker is handed its listeners.
  'noreuseport',
  `nbthread ${settings.threads}`,
  `stats socket ${paths(settings).admin} mode 600 level admin expose-fd listeners`,
  'stats timeout 1d',
  `tune.bufsize ${bufferBytes(settings)}`,
  `tune.http.maxhdr ${mostHeaders + addedOnTheWay.headers}`,
  'tune.maxrewrite 4096',
  ...(settings.features.hotMemory ? [`tune.memory.hot-size ${hotBytes}`] : []),
  'tune.ssl.cachesize 0',
  `setenv SKEIN_MAPS ${settings.folder}`,
  `lua-prepend-path ${settings.lua}/?.lua`,
  `lua-load ${settings.lua}/skein.lua`,
  'log stderr format raw local0 notice',
  'hard-stop-after 1h',
];

const base = ({ upgradeIdleMs }: Settings): Section => [
  'defaults base',
  ...common,
  `timeout tunnel ${Math.max(1, upgradeIdleMs)}ms`,
];

/** `conn_cur` is how many run now. Keys are those of the plan, so the plan bounds the tables. */
const tables: readonly Section[] = (
  [
    ['t_node', 16],
    ['t_function', 256],
    ['t_peer', 32],
    ['t_flow', 288],
  ] as const
).map(([name, length]) => [
  `backend ${name} from base`,
  `stick-table type string len ${length} size 100k expire 20d store conn_cur,gpc0,gpc1,gpt0`,
]);
