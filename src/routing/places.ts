import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { FunctionPlan, Plan } from './plan.ts';

/** The node, with all that runs there. */
export const nodePlace = 'node';

/** What runs of a function, and what waits for room. Spaces are only where names are put together, so no two are the same. */
export const runningPlace = (key: FunctionKey): string => `running ${key}`;
export const waitingPlace = (key: FunctionKey): string => `waiting ${key}`;

export const replicaPlace = (key: FunctionKey, replica: string): string => `replica ${key} ${replica}`;

export const peerPlace = (peer: NodeId): string => `peer ${peer}`;

export type Direction = 'sent' | 'received';

/** What goes to a peer, or comes from one. */
export const flowPlace = (key: FunctionKey, direction: Direction, peer: NodeId): string =>
  `${direction} ${key} ${peer}`;

/** All that a bound of a function may speak of, in plans with these replicas and peers. */
export const placesOf = (
  key: FunctionKey,
  { replicas }: Pick<FunctionPlan, 'replicas'>,
  peers: Plan['peers'],
): readonly string[] => [
  runningPlace(key),
  waitingPlace(key),
  ...replicas.map(({ id }) => replicaPlace(key, id)),
  ...peers.flatMap(({ id }) => [flowPlace(key, 'sent', id), flowPlace(key, 'received', id)]),
];

/** The function whose place it is. Nothing that can be told from a function for a peer's. */
export const functionOf = (place: string): FunctionKey => (place.split(' ', 2)[1] ?? '') as FunctionKey;
