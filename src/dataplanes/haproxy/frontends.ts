import {
  act,
  addedOnTheWay,
  counting,
  destinations,
  headers,
  heads,
  health,
  hidden,
  hiddenRequest,
  inward,
  isFunction,
  keptBytes,
  notAPeer,
  oneHop,
  refusing,
  target,
  times,
  tracking,
  upgrades,
  type Section,
} from './rules.ts';
import { recordAgain, recordCall, recordCallsOnly, recordEnd, recordQuick, recordSaid } from './record-rules.ts';
import { isQuick, quickAnswer, quickConnection, quickEnd, quickRules } from './quick.ts';
import { paths, type Settings } from './settings.ts';
import { hostText } from './words.ts';

/** Who takes nothing of an answer for so long is cut off. */
const leastIntakeMs = 300_000;

export const publicFrontend = (settings: Settings): Section => [
  'frontend public from base',
  'no log',
  `timeout client ${leastIntakeMs}ms`,
  // HTTP/1.1 is all that is spoken here; without a word HAProxy would also hear clients that begin with HTTP/2.
  `bind ${hostText(settings.gateway.host, settings.gateway.port)} backlog 2048 proto h1`,
  'maxconn 20000',
  ...recordCall(settings),
  ...quickConnection,
  ...quickRules(settings),
  ...heads(settings),
  ...notAPeer('if { req.fhdr_cnt(dfaas-node-id) gt 0 }'),
  ...target,
  ...recordCallsOnly(settings),
  ...beginning,
  ...health(settings),
  oneHop('request'),
  ...origin(settings),
  ...upgrades,
  ...times('x-timeout'),
  `http-request add-header X-Start-Time %[var(txn.begun)]000 if ${isFunction}`,
  `http-request set-header X-Call-Id %[var(txn.call)] if ${isFunction}`,
  ...bodies(settings),
  `${inward} if ${isFunction}`,
  `http-request lua.enter if ${isFunction} !{ var(txn.act) -m found }`,
  ...tracking,
  ...quickAnswer(settings),
  ...recordQuick(settings),
  quickEnd,
  ...recordSaid(settings),
  'http-after-response set-header X-Start-Time %[var(txn.begun)]000 if { var(txn.begun) -m found }',
  'http-after-response set-header X-Start-Time %[var(txn.started)]000 if !{ var(txn.begun) -m found } { var(txn.started) -m found }',
  counting(settings),
  ...recordEnd(settings),
  `use_backend %[var(txn.quick),field(3,:)] if ${isQuick}`,
  ...destinations,
  "use_backend later if { path_beg /async-function/ } { path,field(3,/) -m reg '^[-a-zA-Z_0-9.]+$' }",
  'default_backend system',
];

/** When a call came, microseconds: its function and its caller are told the same. */
const beginning: readonly string[] = [
  `http-request set-var(txn.begun) date(0,us) if ${isFunction}`,
  'http-request set-var(txn.begun) date(0,us) if { path_beg /async-function/ }',
];

/** A client's own words about where it comes from are replaced; those of a proxy that is trusted are kept. */
const origin = ({ trustedProxies }: Settings): readonly string[] => {
  const always = `${hidden}|forwarded|x-start-time`;
  const untrusted = `http-request del-header ${headers(`${always}|x-forwarded-(?:for|host|proto)`)}`;
  const saying = (name: string, value: string, condition = ''): string =>
    `http-request add-header ${name} ${value} if ${isFunction}${condition}`;
  const from = saying('X-Forwarded-For', '%[src]');
  const [host, proto] = [
    ['X-Forwarded-Host', '%[req.hdr(host)]'],
    ['X-Forwarded-Proto', 'http'],
  ] as const;
  if (trustedProxies.length === 0) return [untrusted, from, saying(...host), saying(...proto)];
  const about = '{ var(txn.trusted) -m int 1 }';
  return [
    `http-request set-var(txn.trusted) int(1) if trusted ${isFunction}`,
    `${untrusted} unless ${about}`,
    `http-request del-header ${headers(always)} if ${about}`,
    from,
    saying(...host, ' { req.fhdr_cnt(x-forwarded-host) eq 0 }'),
    saying(...proto, ' { req.fhdr_cnt(x-forwarded-proto) eq 0 }'),
  ];
};

/** Short bodies are read whole first, so that they can be sent twice. */
const bodies = (settings: Settings): readonly string[] => {
  const { maxBodyBytes } = settings;
  const short = `${isFunction} !${act('refuse')} !{ var(txn.long) -m int 1 } { req.hdr_val(content-length) gt 0 }`;
  return [
    `http-request set-var(txn.long) int(1) if ${isFunction} { req.fhdr_cnt(transfer-encoding) gt 0 }`,
    'http-request set-var(txn.size) req.hdrs,length',
    `http-request set-var(txn.long) int(1) if ${isFunction} { req.hdr_val(content-length),add(txn.size) gt ${keptBytes(settings)} }`,
    ...(maxBodyBytes > 0 ? tooLarge(settings) : []),
    `http-request wait-for-body time 20s if ${short}`,
    `http-request del-header expect if ${short} { req.fhdr(expect) -i 100-continue }`,
  ];
};

const tooLarge = (settings: Settings): readonly string[] => {
  const condition = `if { req.hdr_val(content-length) gt ${settings.maxBodyBytes} } { var(txn.key),map_str(${paths(settings).map('functions')}) -m found }`;
  return refusing('too-large', 413, condition);
};

/**
 * How long a handshake may take, where this HAProxy can tell it from other silence. Where it cannot, all silence of a peer is
 * bounded by hardly more than that of a connection that is kept, which the sender gives up first.
 */
const handshakes = ({ features }: Settings): readonly string[] =>
  features.timesHandshakes ? ['timeout client-hs 5s', `timeout client ${leastIntakeMs}ms`] : ['timeout client 80s'];

export const peerFrontend = (settings: Settings): Section => {
  const where = paths(settings);
  return [
    'frontend peers_in from base',
    'no log',
    `bind ${hostText(settings.peer.host, settings.peer.port)} backlog 2048 ssl crt ${where.certificate} ca-file ${where.certificate} verify optional crt-ignore-err all ca-ignore-err all ssl-min-ver TLSv1.3 no-tls-tickets alpn http/1.1`,
    'maxconn 20000',
    // Who has not proven to be a peer and asked for something by then may not hold a connection.
    'timeout http-request 5s',
    'option http-ignore-probes',
    ...handshakes(settings),
    ...recordCall(settings),
    ...heads(settings, addedOnTheWay),
    'http-request set-var(sess.key) lua.peer_key unless { var(sess.key) -m found }',
    `http-request set-var(txn.peer) var(sess.key),map_str(${where.map('keys')})`,
    ...notAPeer('if !{ var(txn.peer) -m found }'),
    // Asked so, a refusal has a status that no function gives, and the sender may try again whatever the function is.
    'http-request set-var(txn.refusal) int(1) if { req.fhdr(x-skein-refuse) -m str 425 }',
    // An HAProxy could only pass on a first word; whoever else asks waits for it.
    'http-request set-var(txn.waits) int(1) if !{ req.fhdr(x-skein-refuse) -m str 425 }',
    'http-request set-var(txn.waits) int(1) if { req.fhdr(x-skein-asked) -m str 1 }',
    ...target,
    ...recordCallsOnly(settings),
    `http-request set-var(txn.act) str(system) if !${isFunction} !${act('refuse')}`,
    ...health(settings).map((rule) => rule.replace(' if ', ` if ${act('system')} `)),
    oneHop('request'),
    ...times('x-skein-deadline'),
    `http-request del-header ${hiddenRequest}`,
    ...upgrades,
    `http-request set-header X-Call-Id %[var(txn.call)] if ${isFunction}`,
    `${inward} if ${isFunction}`,
    `http-request lua.admit if ${isFunction} !${act('refuse')}`,
    ...tracking,
    // Said before anything runs, to those who wait for it: the call was taken on.
    `http-request early-hint X-Skein-Taken 1 if ${act('serve', 'hold')} { var(txn.waits) -m int 1 }`,
    `http-response set-header X-Skein-Load %[lua.load(1)] if ${isFunction}`,
    `http-after-response set-header X-Skein-Load %[lua.load(0)] if ${isFunction} ${act('refuse')}`,
    counting(settings),
    `http-after-response set-status 425 if { var(txn.refusal) -m int 1 } ${act('refuse')}`,
    ...recordSaid(settings),
    ...recordEnd(settings),
    ...destinations,
    'default_backend peer_system',
  ];
};

/** This node's own: calls that waited, hold their room, or come back from a peer that did not take them. */
export const againFrontend = (settings: Settings): Section => [
  'frontend again from base',
  'no log',
  `bind unix@${paths(settings).again} mode 600`,
  'http-request set-var(txn.key) req.fhdr(x-skein-function)',
  'http-request set-var(txn.call) req.fhdr(x-call-id)',
  'http-request set-var(txn.tried) req.fhdr(x-skein-tried)',
  'http-request set-var(txn.held) int(1) if { req.fhdr(x-skein-held) 1 }',
  'http-request set-var(txn.received) int(1) if { req.fhdr(x-skein-received) 1 }',
  'http-request set-var(txn.asked) int(1) if { req.fhdr(x-skein-asked) 1 }',
  `${inward} if { req.fhdr(x-skein-outward) 1 }`,
  ...times('x-skein-deadline'),
  `http-request del-header ${hiddenRequest}`,
  'http-request lua.again',
  `http-request early-hint X-Skein-Taken "%[var(txn.act)] %[var(txn.to)]" if { var(txn.asked) -m int 1 } ${act('serve', 'run', 'hold', 'forward')}`,
  ...tracking,
  ...recordAgain(settings),
  `use_backend verdicts if { var(txn.asked) -m int 1 } ${act('wait')}`,
  ...destinations,
];

/** HAProxy's own figures, in Prometheus' format. */
export const metricsFrontend = (settings: Settings): Section => [
  'frontend metrics from base',
  'no log',
  `bind unix@${paths(settings).metrics} mode 600`,
  'http-request use-service prometheus-exporter if { path /metrics }',
];
