import { notRun } from '../refusals.ts';
import { errorRules, notKept, unavailable, waitingErrors } from './refusal-rules.ts';
import { act, addHeaders, hiddenAnswer, keyOf, oneHop, type Section } from './rules.ts';
import { isQuick, quickAnswered, quickRequest } from './quick.ts';
import { recordAnswer, recordRun } from './record-rules.ts';
import { replicaServers, type Server } from './servers.ts';
import { paths, type Settings } from './settings.ts';
import type { Shape } from './shape.ts';
import { common } from './common.ts';

/** To the waiting room: what its caller must know to wait on. */
export const verdicts = ({ nodeName }: Settings): Section => [
  'backend verdicts from base',
  `http-request return status 503 hdr X-Skein-Verdict wait hdr X-Skein-Node ${nodeName} hdr X-Skein-Reason "%[var(txn.reason)]" hdr X-Skein-Status "%[var(txn.status)]" hdr X-Skein-Facts "%[var(txn.facts)]"`,
];

/** Calls for which HAProxy has no place now: they stay with a process that holds them and asks again. */
export const waiting = (settings: Settings): Section => [
  'backend waiting from base',
  ...waitingErrors(settings.nodeName),
  'http-request set-header X-Skein-Function %[var(txn.key)]',
  'http-request set-header X-Skein-Received 1 if { var(txn.peer) -m found } or { var(txn.received) -m found }',
  'http-request set-header X-Skein-Deadline %[lua.left]',
  `http-request set-header X-Skein-Waits 1 if ${act('wait')}`,
  `http-request set-header X-Skein-Carried 1 if ${act('carry')}`,
  'http-request set-header X-Skein-Tried %[var(txn.tried)] if { var(txn.tried) -m found }',
  ...recordAnswer(settings, ''),
  // As where a call is refused at once: the sender may try again.
  `http-response set-status 425 if { var(txn.refusal) -m int 1 } { res.fhdr(x-skein-reason) -m str ${[...notRun].join(' ')} }`,
  `server room unix@${paths(settings).waiting}`,
];

/** A target that is a whole address is told as its path. */
const asPath = `http-request replace-uri '^[hH][tT][tT][pP][sS]?://[^/?]*/?(.*)$' '/\\1'`;

/** To the agent. One that is not there, or leaves without an answer, is the same to whoever asks. */
export const system = (name: string, socket: string, rules: readonly string[], gone: string = unavailable): Section => [
  `backend ${name} from base`,
  ...[502, 503].map((status) => `http-error status ${status} ${gone}`),
  'retries 0',
  'timeout server 1d',
  asPath,
  ...rules,
  'http-response set-var(txn.answered) int(1)',
  'http-after-response set-status 503 if !{ var(txn.answered) -m found } { status 502 }',
  `server agent unix@${socket}`,
];

/** Calls that the agent keeps for later: one that it cannot keep is refused as every call is. */
export const later = ({ systemSocket, nodeName }: Settings): Section =>
  system('later', systemSocket, keyOf('/async-function/'), notKept(nodeName));

/**
 * The way back to this HAProxy, twice: where there is one server with weight only, HAProxy waits a second before it goes from one
 * that is not there to another.
 */
const ways = ['again', 'anew'];

/** The server of no weight is chosen by name; where it does not take the call, those with weight are left. */
export const peersBackend = (settings: Settings, servers: readonly Server[]): Section => {
  const back = `{ srv_name ${ways.join(' ')} }`;
  const mine = `!${back}`;
  return [
    'backend peers from base',
    ...errorRules(settings.nodeName),
    `timeout connect ${settings.peerAckMs}ms`,
    'timeout check 2s',
    'retries 1',
    'option redispatch 1',
    'retry-on conn-failure 425',
    'option httpchk GET /healthz',
    // A peer that leaves says 503: it is there, and refuses for itself.
    'http-check expect status 200-599',
    'http-request set-timeout server var(txn.timeout)',
    'http-request disable-l7-retry if { var(txn.asked) -m int 1 }',
    'http-request set-uri /function/%[var(txn.key)]%[url]',
    'http-request set-header X-Skein-Hop 1',
    'http-request set-header X-Skein-Load %[lua.load(0)]',
    'http-request set-header X-Skein-Deadline %[lua.left]',
    'http-request set-header X-Skein-Refuse 425',
    'http-request set-header X-Skein-Outward 1',
    'http-request set-header X-Skein-Function %[var(txn.key)]',
    'http-request set-header X-Skein-Asked 1 if { var(txn.asked) -m int 1 }',
    'http-request set-header X-Skein-Tried "%[var(txn.tried)],%[var(txn.to)]"',
    ...recordRun(settings),
    'use-server %[var(txn.to)] if TRUE',
    ...recordAnswer(settings, `if ${back}`),
    `http-response lua.heard if ${mine}`,
    oneHop('response'),
    `http-response del-header x-skein-load if ${mine}`,
    `http-response set-header X-Call-Id %[var(txn.call)] if ${mine}`,
    ...ways.map((name) => `server ${name} unix@${paths(settings).again} weight 1`),
    ...servers.map(({ name, line }) => `server ${name} ${line}`),
  ];
};

/** What every backend of a function does; `quick` calls come with nothing done to them yet. */
export const functionDefaults = (settings: Settings): Section => {
  const { nodeName, upgradeIdleMs } = settings;
  const servedBy = [
    ['X-Skein-Node', nodeName],
    ['X-Skein-Function', '%[var(txn.key)]'],
  ] as const;
  return [
    'defaults functions',
    ...common,
    `timeout tunnel ${Math.max(1, upgradeIdleMs)}ms`,
    ...errorRules(nodeName),
    'balance leastconn',
    'retries 5',
    'option redispatch 1',
    'retry-on conn-failure empty-response',
    // What broke off may have run: only calls that may run twice are sent again.
    'http-request disable-l7-retry unless { method GET HEAD OPTIONS }',
    'http-request set-var(txn.started) date(0,us)',
    ...recordRun(settings),
    'http-request set-timeout server var(txn.timeout)',
    'http-request set-header X-Timeout %[lua.left]ms if { var(txn.shortened) -m int 1 }',
    ...addHeaders('request', servedBy, ` if !${isQuick}`),
    `http-request allow if !${isQuick}`,
    ...quickRequest(settings),
    ...recordAnswer(settings, 'if { srv_name room }'),
    ...quickAnswered,
    // The waiting room spoke for itself.
    'http-response allow if { srv_name room }',
    'http-response set-var(txn.took) date(0,us),sub(txn.started)',
    oneHop('response'),
    `http-response del-header ${hiddenAnswer}`,
    'http-response add-header X-Duration-Seconds %[var(txn.took),div(1000000)].%[var(txn.took),mod(1000000),add(1000000),concat(),bytes(1,6)] if { res.fhdr_cnt(x-duration-seconds) eq 0 }',
    'http-response add-header X-Call-Id %[var(txn.call)]',
    `http-response add-header X-Skein-Node ${nodeName}`,
    'http-response lua.served',
  ];
};

/** All that there may be, empty or not: neither HAProxy 2.6 nor 3.0 makes one at run time. */
export const functionBackends = (shape: Shape, settings: Settings): readonly Section[] => {
  const servers = new Map<string, Server[]>();
  for (const server of replicaServers(shape)) {
    servers.set(server.backend, [...(servers.get(server.backend) ?? []), server]);
  }
  return Array.from({ length: shape.pool }, (_, index) => [
    `backend f${index} from functions`,
    `server room unix@${paths(settings).waiting} backup`,
    ...(servers.get(`f${index}`) ?? []).map(({ name, line }) => `server ${name} ${line}`),
  ]);
};
