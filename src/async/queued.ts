import { z } from 'zod';
import type { FunctionKey } from '../domain/ids.ts';
import type { QueueItem } from '../queues/queue.ts';

/** How calls and callbacks lie in the queue. */

const headers = z.array(z.string());

const queuedMeta = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('call'), path: z.string(), headers, callbackUrl: z.string().optional() }),
  z.object({ kind: z.literal('callback'), url: z.string(), headers }),
]);

export type QueuedCall = {
  readonly key: FunctionKey;
  readonly callId: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly callbackUrl: string | undefined;
};

export type QueuedCallback = {
  readonly key: FunctionKey;
  readonly callId: string;
  readonly url: string;
  readonly headers: readonly string[];
};

const callbackPrefix = 'callback:';

/** Callbacks wait in a lane of their own: a slow receiver does not hold up the function. */
export const isCallbackLane = (lane: string): boolean => lane.startsWith(callbackPrefix);

export const functionOfLane = (lane: string): FunctionKey =>
  (isCallbackLane(lane) ? lane.slice(callbackPrefix.length) : lane) as FunctionKey;

export const itemOfCall = (
  { key, callId, path, headers: sent, callbackUrl }: QueuedCall,
  body: Uint8Array,
): QueueItem => ({
  lane: key,
  callId,
  meta: JSON.stringify({ kind: 'call', path, headers: sent, callbackUrl }),
  body,
});

export const itemOfCallback = ({ key, callId, url, headers: sent }: QueuedCallback, body: Uint8Array): QueueItem => ({
  lane: `${callbackPrefix}${key}`,
  callId,
  meta: JSON.stringify({ kind: 'callback', url, headers: sent }),
  body,
});

export type Queued =
  | { readonly kind: 'call'; readonly call: QueuedCall }
  | { readonly kind: 'callback'; readonly callback: QueuedCallback }
  /** A later version may have written it. */
  | { readonly kind: 'unreadable'; readonly why: string };

export const parseItem = ({ lane, callId, meta }: QueueItem): Queued => {
  const { success, data } = queuedMeta.safeParse(parseJson(meta));
  if (!success) return { kind: 'unreadable', why: 'this version of the program cannot read it' };
  const common = { key: functionOfLane(lane), callId };
  if (data.kind === 'callback') return { kind: 'callback', callback: { ...common, ...data } };
  return { kind: 'call', call: { ...common, ...data, callbackUrl: data.callbackUrl } };
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
