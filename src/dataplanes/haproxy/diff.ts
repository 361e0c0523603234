import { anchorOf } from './anchor.ts';
import { entries, mapNames, type MapName } from './entries.ts';
import { peerServers, replicaServers, type PeerFiles, type Server } from './servers.ts';
import type { Shape } from './shape.ts';

/** One command of the admin socket, and what its answer must look like. */
export type Command = { readonly text: string; readonly answer: RegExp };

export type Step =
  | {
      readonly kind: 'runtime';
      /** In this order: what is gone is named no more, then servers come, then they are named, then others leave. */
      readonly commands: readonly Command[];
      /** Servers that are in maintenance now, to be deleted once nothing uses them. */
      readonly leaving: readonly string[];
    }
  /** Only a reload can do it. */
  | { readonly kind: 'structural'; readonly why: string };

export type DiffPaths = PeerFiles & { readonly map: (name: MapName) => string };

/** What brings an HAProxy that carries out `before` to `after`. */
export const diff = (before: Shape, after: Shape, paths: DiffPaths): Step => {
  if (before.pool !== after.pool) {
    return { kind: 'structural', why: `${after.pool} functions instead of ${before.pool} must fit` };
  }
  const peers = changed(peerServers(before, paths), peerServers(after, paths));
  const replicas = changed(replicaServers(before), replicaServers(after));
  const leaving = [...peers.gone, ...replicas.gone];
  const maps = mapChanges(before, after, paths);
  return {
    kind: 'runtime',
    commands: [
      ...maps.forgotten,
      ...peers.come.flatMap(({ publicKey, ...server }) => [
        ...anchor(paths.anchor(server.name), publicKey),
        ...add(server),
      ]),
      ...replicas.come.flatMap(add),
      ...replicas.other.map(({ backend, name, line }) =>
        quiet(`set server ${backend}/${name} weight ${/ weight (\d+)/.exec(line)?.[1] ?? '1'}`),
      ),
      ...maps.told,
      ...leaving.map(({ backend, name }) => quiet(`set server ${backend}/${name} state maint`)),
      ...removed(before, after),
    ],
    leaving: leaving.map(({ backend, name }) => `${backend}/${name}`),
  };
};

/** Deletes a server that was put in maintenance; `isDeleted` and `isStillUsed` tell what an answer means. */
export const deletion = (server: string): string => `del server ${server}`;

export const isDeleted = (answer: string): boolean => answer === 'Server deleted.';

/** HAProxy keeps the anchor of a peer until it is told not to, also when the peer's server was deleted. */
export const anchorDeletion = (server: string, { anchor }: PeerFiles): readonly string[] => {
  const [backend, name = ''] = server.split('/');
  return backend === 'peers' ? [`del ssl ca-file ${anchor(name)}`] : [];
};

/** Whether the server must be tried again later: something still uses it. */
export const isStillUsed = (answer: string): boolean => /still has|connections|must be in maintenance/i.test(answer);

const quiet = (text: string): Command => ({ text, answer: /^$/ });

const add = ({ backend, name, line }: Server): readonly Command[] => [
  { text: `add server ${backend}/${name} ${line}`, answer: /^New server registered\.$/ },
  quiet(`enable server ${backend}/${name}`),
  quiet(`enable health ${backend}/${name}`),
];

const anchor = (file: string, publicKey: string): readonly Command[] => [
  { text: `new ssl ca-file ${file}`, answer: /^New CA file created/ },
  { text: `set ssl ca-file ${file} <<\n${anchorOf(publicKey)}\n`, answer: /transaction created for CA/ },
  { text: `commit ssl ca-file ${file}`, answer: /Success!$/ },
];

type Changed<T extends Server> = {
  readonly come: readonly T[];
  readonly other: readonly T[];
  readonly gone: readonly T[];
};

const changed = <T extends Server>(before: readonly T[], after: readonly T[]): Changed<T> => {
  const old = new Map(before.map((server) => [server.name, server]));
  const kept = new Set(after.map(({ name }) => name));
  return {
    come: after.filter(({ name }) => !old.has(name)),
    other: after.filter((server) => old.has(server.name) && old.get(server.name)?.line !== server.line),
    gone: before.filter(({ name }) => !kept.has(name)),
  };
};

/** What was counted of functions that are gone; where one of them still runs, its entry stays. */
const removed = (before: Shape, after: Shape): readonly Command[] => {
  const gone = Object.keys(before.plan.functions).filter((key) => !(key in after.plan.functions));
  if (gone.length === 0) return [];
  const cleared = gone.map((key) => ({
    text: `clear table t_function key ${key}`,
    answer: /^(?:$|Entry currently in use)/,
  }));
  return [...cleared, quiet('skein forget')];
};

type MapChanges = { readonly forgotten: readonly Command[]; readonly told: readonly Command[] };

const mapChanges = (before: Shape, after: Shape, { map }: DiffPaths): MapChanges => {
  const [old, present] = [entries(before), entries(after)];
  const forgotten: Command[] = [];
  const told: Command[] = [];
  for (const name of mapNames) {
    const file = map(name);
    for (const key of old[name].keys()) {
      if (!present[name].has(key)) forgotten.push(quiet(`del map ${file} ${key}`));
    }
    for (const [key, value] of present[name]) {
      const was = old[name].get(key);
      if (was === value) continue;
      told.push(quiet(`${was === undefined ? 'add' : 'set'} map ${file} ${key} ${value}`));
    }
  }
  return { forgotten, told };
};
