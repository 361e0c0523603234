import type { NodeId } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';
import type { Log } from '../telemetry/log.ts';

type Self = { readonly id: NodeId; readonly name: string };

export type SameName = { readonly name: string; readonly ids: readonly NodeId[] };

/** Names that more than one node has, of those that are there. Identities differ; whoever goes by names confuses the nodes. */
export const sameNames = (self: Self, members: readonly Member[]): readonly SameName[] => {
  const ids = new Map<string, NodeId[]>([[self.name, [self.id]]]);
  for (const { id, state, announcement } of members) {
    if (state !== 'alive' || announcement === undefined) continue;
    const same = ids.get(announcement.name);
    if (same === undefined) ids.set(announcement.name, [id]);
    else same.push(id);
  }
  return [...ids].filter(([, same]) => same.length > 1).map(([name, same]) => ({ name, ids: same.toSorted() }));
};

export const tellSameName = ({ name, ids }: SameName): string =>
  `${ids.length} nodes are called ${name} (${ids.join(', ')}): give each a name of its own (node.name)`;

/** Warns of each name that several nodes have, once as long as they have it. */
export class NameWatch {
  readonly #self: Self;
  readonly #log: Pick<Log, 'warn'>;
  #found: readonly SameName[] = [];

  constructor({ self, log }: { readonly self: Self; readonly log: Pick<Log, 'warn'> }) {
    this.#self = self;
    this.#log = log;
  }

  look(members: readonly Member[]): void {
    const before = new Set(this.problems);
    this.#found = sameNames(this.#self, members);
    for (const found of this.#found) {
      if (before.has(tellSameName(found))) continue;
      this.#log.warn({ name: found.name, nodes: found.ids }, 'nodes of one name in the federation');
    }
  }

  /** What was found last, in sentences for people. */
  get problems(): readonly string[] {
    return this.#found.map(tellSameName);
  }
}
