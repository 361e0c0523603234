import type { Reason } from '../../domain/reason.ts';
import { paths, type Settings } from './settings.ts';

/** A head and its lines, which are indented when they are written. */
export type Section = readonly string[];

/**
 * What of a call is kept for a second try, head and body together: one with a longer body is carried by the waiting
 * room, where it may go to a peer. Every buffer holds as much, and larger ones cost every call.
 */
export const keptBytes = ({ maxHeaderBytes }: Settings): number => Math.max(16 * 1024, maxHeaderBytes);

/** A name and a format. */
export type HeaderText = readonly [name: string, value: string];

export const addHeaders = (
  direction: 'request' | 'response',
  headers: readonly HeaderText[],
  condition = '',
): readonly string[] => headers.map(([name, value]) => `http-${direction} add-header ${name} ${value}${condition}`);

export const isFunction = '{ var(txn.key) -m found }';
export const act = (...acts: readonly string[]): string => `{ var(txn.act) -m str ${acts.join(' ')} }`;

/** Of one connection only, or said by nodes alone (`headers.ts`). */
export const hidden = 'x-skein-.*|keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|te|trailer';
export const headers = (names: string): string => `'^(?:${names})$' -m reg`;
export const hiddenRequest = headers(hidden);
export const hiddenAnswers = `${hidden}|x-start-time|x-call-id`;
export const hiddenAnswer = headers(hiddenAnswers);

/** What `Connection` names beside `close` and `keep-alive`, which HAProxy takes away before any rule. */
export const oneHop = (direction: 'request' | 'response'): string => {
  const [fetch, action] = direction === 'request' ? ['req', 'one_hop_request'] : ['res', 'one_hop_answer'];
  return `http-${direction} lua.${action} if { ${fetch}.fhdr_cnt(connection) gt 0 }`;
};

/** `PREFIX/NAME…` → `txn.key`, matched whole. */
export const keyOf = (prefix: string): readonly string[] => [
  `http-request set-var(txn.key) path,field(3,/),concat(.openfaas-fn) if { path_beg ${prefix} } { path,field(3,/) -m reg '^[-a-zA-Z_0-9.][-a-zA-Z_0-9]*$' }`,
  `http-request set-var(txn.key) path,field(3,/) if !${isFunction} { path_beg ${prefix} } { path,field(3,/) -m reg '^[-a-zA-Z_0-9.]+[.][-a-zA-Z_0-9.]*$' }`,
];

/** What is none goes to the agent. */
export const target: readonly string[] = keyOf('/function/');

export const inward = `http-request replace-uri '^(?:[hH][tT][tT][pP][sS]?://[^/?]*)?/function/[^/?]+/?(.*)$' '/\\1'`;

/** Whether there is a plan and it does not end: `lua/entries.lua` reads the same entry. */
export const health = (settings: Settings): readonly string[] => [
  'http-request return status 405 hdr Allow "GET, HEAD" if { path /healthz } !{ method GET HEAD }',
  `http-request return status 200 if { path /healthz } { str(node),map_str(${paths(settings).map('node')}) -m sub draining=0 }`,
  'http-request return status 503 if { path /healthz }',
];

/** As many headers may come from a client; answers may have `mostHeaders`. */
export const clientHeaders = 256;
export const mostHeaders = 1_000;

/** What a node adds to the head of a call that it passes on: who may call one node may be served by another. */
export const addedOnTheWay = { bytes: 4_096, headers: 32 } as const;

/** More than one `Host` has two meanings; heads are bounded. */
export const heads = ({ maxHeaderBytes }: Settings, added = { bytes: 0, headers: 0 }): readonly string[] => [
  'http-request return status 400 content-type "text/plain; charset=utf-8" string "A request names one host.\\n" hdr Connection close if { req.fhdr_cnt(host) gt 1 }',
  `http-request return status 431 hdr Connection close if { req.hdrs,length gt ${maxHeaderBytes + added.bytes} } or { req.fhdr_cnt gt ${clientHeaders + added.headers} }`,
  'http-request set-var(txn.call) req.fhdr(x-call-id)',
  'http-request set-var(txn.call) uuid() unless { var(txn.call),length gt 0 }',
];

export const refusing = (reason: Reason, status: number, condition: string): readonly string[] => [
  `http-request set-var(txn.act) str(refuse) ${condition}`,
  `http-request set-var(txn.reason) str(${reason}) ${condition}`,
  `http-request set-var(txn.status) int(${status}) ${condition}`,
];

/** Before anything else is decided. */
export const notAPeer = (condition: string): readonly string[] => {
  const [first = '', ...others] = refusing('not-a-peer', 403, `if ${act('refuse')}`);
  return [first.replace(`if ${act('refuse')}`, condition), ...others];
};

/** Another protocol may be asked for, but none in which requests would pass unseen, and not along with a body. */
export const upgrades: readonly string[] = [
  'http-request del-header upgrade if { req.fhdr(upgrade) -m sub -i h2c }',
  'http-request del-header upgrade if { req.fhdr_cnt(content-length) gt 0 }',
  'http-request del-header upgrade if { req.fhdr_cnt(transfer-encoding) gt 0 }',
];

/** What is said of the time that a call has: `lua/time.lua` understands it. */
export const times = (header: string): readonly string[] => [
  `http-request set-var(txn.asked_${header === 'x-timeout' ? 'time' : 'left'}) req.fhdr(${header}) if { req.fhdr_cnt(${header}) gt 0 }`,
  `http-request del-header x-timeout if { req.fhdr_cnt(${header}) gt 0 } ${isFunction}`,
];

/** What runs here, and what this node has under way at peers, for as long as its stream lasts. */
export const tracking: readonly string[] = [
  `http-request track-sc0 str(node) table t_node if ${act('serve', 'hold')}`,
  `http-request track-sc1 var(txn.key) table t_function if ${act('serve', 'hold')}`,
  `http-request track-sc2 var(txn.key),concat(<,txn.peer) table t_flow if ${act('serve', 'hold')} { var(txn.peer) -m found }`,
  `http-request track-sc0 var(txn.to) table t_peer if ${act('forward')}`,
  `http-request track-sc2 var(txn.key),concat(>,txn.to) table t_flow if ${act('forward')}`,
];

export const destinations: readonly string[] = [
  `use_backend refusals if ${act('refuse')}`,
  `use_backend %[var(txn.slot)] if ${act('serve', 'run')}`,
  `use_backend peers if ${act('forward')}`,
  `use_backend waiting if ${act('hold', 'wait', 'carry')}`,
];

/** Refusals are counted where they leave, whoever of this node said them. */
export const counting = ({ nodeName }: Settings): string =>
  `http-after-response set-var(txn.counted) lua.rejected if { res.fhdr(x-skein-reason) -m found } { res.fhdr(x-skein-node) -m str ${nodeName} }`;
