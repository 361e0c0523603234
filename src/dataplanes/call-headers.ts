import type { Call } from './call.ts';
import { returnable, valueOf, type RawHeaders } from './headers.ts';
import type { PlaneState } from './plane-state.ts';

/** What a call carries to a replica of this node. Where its caller has less time than the function, the function hears of it. */
export const replicaHeaders = (state: PlaneState, call: Call): RawHeaders => {
  const headers = [...call.headers, 'X-Call-Id', call.callId, 'X-Skein-Node', state.nodeName];
  if (call.shortened) headers.push('X-Timeout', `${remainingMs(state, call)}ms`);
  return headers;
};

/** What it carries to a peer. */
export const forwardHeaders = (state: PlaneState, call: Call): RawHeaders => {
  const headers = [...call.headers, 'X-Call-Id', call.callId, 'X-Skein-Hop', String(call.hops + 1)];
  headers.push('X-Skein-Deadline', String(remainingMs(state, call)));
  const load = state.load(call.key);
  if (load !== undefined) headers.push('X-Skein-Load', load);
  return headers;
};

/** What a replica's answer carries to the client: this node's name, and its load where the client is a peer. */
export const answerOfReplica = (state: PlaneState, call: Call, raw: readonly string[]): RawHeaders => {
  const headers = returnable(raw, false);
  headers.push('X-Call-Id', call.callId, 'X-Skein-Node', state.nodeName);
  if (call.startTime !== undefined) headers.push('X-Start-Time', call.startTime);
  if (valueOf(raw, 'x-duration-seconds') === undefined) {
    headers.push('X-Duration-Seconds', ((state.now() - call.ranAt) / 1000).toFixed(6));
  }
  const load = call.from === undefined ? undefined : state.load(call.key, 1);
  if (load !== undefined) headers.push('X-Skein-Load', load);
  return headers;
};

/** What a peer's answer carries to the client. */
export const answerOfPeer = (call: Call, raw: readonly string[]): RawHeaders => {
  const headers = returnable(raw, true);
  headers.push('X-Call-Id', call.callId);
  if (call.startTime !== undefined) headers.push('X-Start-Time', call.startTime);
  return headers;
};

const remainingMs = (state: PlaneState, call: Call): number => Math.max(1, Math.floor(call.endsAt - state.now()));

/** Of the body that will follow: 0 where none does, undefined where it is not known. */
export const bodyLengthOf = (
  raw: readonly string[],
  method: string | undefined,
  status: number,
): number | undefined => {
  if (method === 'HEAD' || status === 204 || status === 304) return 0;
  const length = valueOf(raw, 'content-length');
  return length === undefined ? undefined : Number(length);
};
