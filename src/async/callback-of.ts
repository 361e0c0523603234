import { returnable } from '../dataplanes/headers.ts';
import { splitFunctionKey } from '../domain/ids.ts';
import type { QueueItem } from '../queues/queue.ts';
import type { Answer } from './invoke.ts';
import { itemOfCallback, type QueuedCall } from './queued.ts';

/** Says that the answer was longer than a callback may be: the body is empty then. */
export const omittedHeader = 'X-Skein-Body-Omitted';

/** The callback that tells of an answer, if the caller wanted one. `durationMs` is that of the attempt. */
export const callbackOf = (call: QueuedCall, answer: Answer, durationMs: number): QueueItem | undefined => {
  const { key, callId, callbackUrl: url } = call;
  if (url === undefined) return undefined;
  const headers = [
    ...theirs(answer.headers),
    'X-Duration-Seconds',
    (durationMs / 1000).toFixed(6),
    'X-Function-Status',
    String(answer.status),
    'X-Function-Name',
    nameOf(call),
    'X-Call-Id',
    callId,
    ...(answer.body === undefined ? [omittedHeader, 'too-large'] : []),
  ];
  return itemOfCallback({ key, callId, url, headers }, answer.body ?? new Uint8Array());
};

/** The callback for a call that was given up: empty, 503, as OpenFaaS tells it. */
export const callbackOfBuried = (call: QueuedCall): QueueItem | undefined =>
  callbackOf(call, { status: 503, headers: [], body: new Uint8Array() }, 0);

const nameOf = ({ key }: QueuedCall): string => splitFunctionKey(key).name;

/** Our own replace the function's; the length is that of what is posted. */
const replaced = new Set(['content-length', 'x-duration-seconds', 'x-function-status', 'x-function-name']);

const theirs = (raw: readonly string[]): readonly string[] => {
  const kept = returnable(raw, false);
  return kept.filter((_, index) => !replaced.has((kept[index - (index % 2)] ?? '').toLowerCase()));
};
