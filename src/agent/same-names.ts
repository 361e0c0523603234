import type { NodeId } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';

export type SameName = { readonly name: string; readonly ids: readonly NodeId[] };

/** Names that more than one node has, of those that are there. Identities differ; whoever goes by names confuses the nodes. */
export const sameNames = (
  self: { readonly id: NodeId; readonly name: string },
  members: readonly Member[],
): readonly SameName[] => {
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
