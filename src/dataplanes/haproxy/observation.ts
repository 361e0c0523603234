import type { FunctionKey, NodeId } from '../../domain/ids.ts';
import type { Reason } from '../../domain/reason.ts';
import { nothingObserved, type FunctionObservation, type Observation, type PeerObservation } from '../data-plane.ts';
import type { Shape } from './shape.ts';

export type Told = {
  /** The answer to `skein observe`. */
  readonly text: string;
  /** Of the waiting room. */
  readonly queued: { readonly [key: FunctionKey]: number };
  readonly shape: Shape;
  readonly at: number;
  readonly since: number;
};

/** What HAProxy and the waiting room said, in the units of every data plane. */
export const readObservation = ({ text, queued, shape, at, since }: Told): Observation => {
  const ids = new Map(Object.entries(shape.peerNames));
  const functions: Record<FunctionKey, FunctionObservation> = {};
  const peers: Record<NodeId, PeerObservation> = {};
  for (const { id, slots, rttMs } of shape.plan.peers) peers[id] = { rttMs, inFlight: 0, slots, outstanding: 0 };
  let inFlight = 0;
  for (const line of text.split('\n')) {
    const [kind, name = '', fields = ''] = line.split(' ');
    if (kind === 'node') inFlight = Number(name);
    if (kind === 'function') functions[name as FunctionKey] = readFunction(fields, ids);
    const id = kind === 'peer' ? ids.get(name) : undefined;
    if (id !== undefined && shape.peers[id]?.name === name)
      peers[id] = { ...(peers[id] ?? { rttMs: 0 }), ...readPeer(fields) };
  }
  let waiting = 0;
  for (const [key, count] of Object.entries(queued) as [FunctionKey, number][]) {
    waiting += count;
    if (count > 0 || functions[key] !== undefined) {
      functions[key] = { ...(functions[key] ?? nothingObserved), queued: count };
    }
  }
  return { at, since, planVersion: shape.plan.version, inFlight, queued: waiting, functions, peers };
};

const readFunction = (text: string, ids: ReadonlyMap<string, NodeId>): FunctionObservation => {
  const fields = new URLSearchParams(text);
  const number = (name: string): number => Number(fields.get(name) ?? 0);
  const byPeer = (name: string): Readonly<Record<NodeId, number>> => {
    const counts: Record<NodeId, number> = {};
    for (const [server, count] of counted(fields.get(name))) {
      const id = ids.get(server);
      if (id !== undefined) counts[id] = (counts[id] ?? 0) + count;
    }
    return counts;
  };
  return {
    inFlight: number('running'),
    queued: 0,
    entered: number('entered'),
    received: byPeer('received'),
    served: number('served'),
    forwarded: byPeer('forwarded'),
    rejected: Object.fromEntries(counted(fields.get('rejected'))) as { readonly [reason in Reason]?: number },
    serviceMs: number('service'),
    ran: number('ran'),
    ranMs: number('ranms'),
    foundFull: number('full'),
    foundLimit: number('limit'),
  };
};

const readPeer = (text: string): Omit<PeerObservation, 'rttMs'> => {
  const fields = new URLSearchParams(text);
  const number = (name: string): number => Number(fields.get(name) ?? 0);
  return { inFlight: number('running'), slots: number('slots'), outstanding: number('outstanding') };
};

const counted = (text: string | null): readonly (readonly [name: string, count: number])[] =>
  (text ?? '')
    .split(',')
    .filter((item) => item !== '')
    .map((item) => {
      const [name = '', count = '0'] = item.split(':');
      return [name, Number(count)] as const;
    });

/** Counters of an HAProxy that was, and of the one that took over. */
export const addObservations = (before: Observation | undefined, present: Observation): Observation => {
  if (before === undefined) return present;
  const functions: Record<FunctionKey, FunctionObservation> = { ...present.functions };
  for (const [key, old] of Object.entries(before.functions) as [FunctionKey, FunctionObservation][]) {
    const now = present.functions[key] ?? nothingObserved;
    functions[key] = {
      ...now,
      entered: old.entered + now.entered,
      served: old.served + now.served,
      received: add(old.received, now.received),
      forwarded: add(old.forwarded, now.forwarded),
      rejected: add(old.rejected, now.rejected),
      serviceMs: now.serviceMs === 0 ? old.serviceMs : now.serviceMs,
      ran: old.ran + now.ran,
      ranMs: old.ranMs + now.ranMs,
      foundFull: old.foundFull + now.foundFull,
      foundLimit: old.foundLimit + now.foundLimit,
    };
  }
  return { ...present, since: before.since, functions };
};

const add = <Name extends string>(
  one: { readonly [name in Name]?: number },
  other: { readonly [name in Name]?: number },
): { readonly [name in Name]: number } => {
  const sum: Record<string, number> = { ...(one as Record<string, number>) };
  for (const [name, count] of Object.entries<number | undefined>(other)) sum[name] = (sum[name] ?? 0) + (count ?? 0);
  return sum as { readonly [name in Name]: number };
};
