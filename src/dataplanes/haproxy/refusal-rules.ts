import type { Reason } from '../../domain/reason.ts';
import { noAgent, sentenceOf, unmanaged } from '../refusals.ts';
import { act } from './rules.ts';

/** What Lua says beside the reason: a sentence after a blank, or nothing. */
const said = '%[var(txn.hint)]';

/** Every pair of reason and status with which HAProxy itself refuses a call. */
const refusals: readonly (readonly [reason: Reason, status: number, hint?: string])[] = [
  ['full', 503],
  ['full', 429],
  ['over-rate', 429],
  ['no-replica', 503],
  ['start-failed', 503, said],
  ['unknown-function', 404, said],
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

/** Between quotes, where nothing in the sentences means something to HAProxy but what is escaped. */
const sentence = (reason: Reason, hint = ''): string => sentenceOf(reason, subject, hint).replaceAll(/["\\$]/g, '\\$&');

const answerOf = (node: string, reason: string, status: number, text: string): string =>
  [
    plain,
    `lf-string "${text}\\n"`,
    'hdr X-Content-Type-Options nosniff',
    `hdr X-Skein-Node ${node}`,
    `hdr X-Skein-Reason ${reason}`,
    'hdr X-OpenFaaS-Internal skein',
    'hdr X-Call-Id "%[var(txn.call)]"',
    ...(status === 503 || status === 429 ? ['hdr Retry-After 1'] : []),
  ].join(' ');

const answer = (node: string, reason: Reason, status: number, hint?: string): string =>
  answerOf(node, reason, status, sentence(reason, hint));

/** The backend `refusals`: answers by `txn.reason` and `txn.status`, which Lua has set. */
export const refusalRules = (node: string): readonly string[] => [
  ...refusals.map(([reason, status, hint]) => rule(reason, status, answer(node, reason, status, hint))),
  ...last.map(([reason, status]) => rule(reason, status, `${answer(node, reason, status)} hdr Connection close`)),
];

const rule = (reason: Reason, status: number, answered: string): string =>
  `http-request return status ${status} ${answered} if { var(txn.reason) -m str ${reason} } { var(txn.status) -m int ${status} }`;

const brokeOff = (node: string): readonly string[] => [
  `http-error status 502 ${answer(node, 'function-failed', 502)}`,
  `http-error status 504 ${answer(node, 'timeout', 504)}`,
];

/** HAProxy's own errors in the words of every data plane. */
export const errorRules = (node: string): readonly string[] => [
  ...brokeOff(node),
  `http-error status 503 ${answer(node, 'no-replica', 503)}`,
];

/** The agent's own answers, where it gives none. */
export const notKept = (node: string): string => answer(node, 'queue-failed', 503, ` ${noAgent}`);
export const unavailable = `${plain} string "${unmanaged}\\n" hdr Retry-After 1`;

/**
 * The same where calls go that must wait: where the waiting room is gone, one is refused for the reason for which it would
 * wait; one that a peer would have run as if that had no room.
 */
export const waitingErrors = (node: string): readonly string[] => [
  ...brokeOff(node),
  `http-error status 503 ${answerOf(node, '"%[var(txn.reason)]"', 503, '%[var(txn.sentence)]')}`,
  `http-request set-var(txn.reason) str(no-replica) if ${act('hold')}`,
  `http-request set-var(txn.reason) str(full) if ${act('carry')}`,
  ...(['full', 'over-rate', 'no-replica'] as const).map(
    (reason) => `http-request set-var-fmt(txn.sentence) "${sentence(reason)}" if { var(txn.reason) -m str ${reason} }`,
  ),
  'http-response set-var(txn.answered) int(1)',
  'http-after-response set-status 429 if !{ var(txn.answered) -m found } { status 503 } { var(txn.status) -m int 429 }',
];
