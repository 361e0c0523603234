import type { Reason } from '../../domain/reason.ts';
import { sentenceOf } from '../refusals.ts';

/** Every pair of reason and status with which HAProxy itself refuses a call. */
const refusals: readonly (readonly [reason: Reason, status: number, hint?: string])[] = [
  ['full', 503],
  ['full', 429],
  ['over-rate', 429],
  ['no-replica', 503],
  ['start-failed', 503],
  ['unknown-function', 404],
  ['draining', 503],
  ['timeout', 504],
  ['bad-request', 400, ' X-Timeout is a duration such as 5s or 250ms.'],
];

/** Those after which the connection ends. */
const last: readonly (readonly [reason: Reason, status: number, hint?: string])[] = [
  ['not-a-peer', 403],
  ['too-large', 413],
];

const plain = 'content-type "text/plain; charset=utf-8"';

/** It holds letters, digits and `-_.` only, or is empty. */
const subject = '%[var(txn.key)]';

const answer = (node: string, reason: Reason, status: number, hint = ''): string =>
  [
    plain,
    // Between these quotes a line may end; nothing in the sentences means something to HAProxy there but what is escaped.
    `lf-string "${sentenceOf(reason, subject, hint).replaceAll(/["\\$]/g, '\\$&')}\\n"`,
    'hdr X-Content-Type-Options nosniff',
    `hdr X-Skein-Node ${node}`,
    `hdr X-Skein-Reason ${reason}`,
    'hdr X-OpenFaaS-Internal skein',
    'hdr X-Call-Id "%[var(txn.call)]"',
    ...(status === 503 || status === 429 ? ['hdr Retry-After 1'] : []),
  ].join(' ');

/** The backend `refusals`: answers by `txn.reason` and `txn.status`, which Lua has set. */
export const refusalRules = (node: string): readonly string[] => [
  ...refusals.map(([reason, status, hint]) => rule(reason, status, answer(node, reason, status, hint))),
  ...last.map(([reason, status]) => rule(reason, status, `${answer(node, reason, status)} hdr Connection close`)),
];

const rule = (reason: Reason, status: number, said: string): string =>
  `http-request return status ${status} ${said} if { var(txn.reason) -m str ${reason} } { var(txn.status) -m int ${status} }`;

/** HAProxy's own errors in the words of every data plane. */
export const errorRules = (node: string): readonly string[] => [
  `http-error status 502 ${answer(node, 'function-failed', 502)}`,
  `http-error status 503 ${answer(node, 'no-replica', 503)}`,
  `http-error status 504 ${answer(node, 'timeout', 504)}`,
];
