import type { Reason } from '../../domain/reason.ts';
import { anchorOf } from './anchor.ts';
import { entries, mapNames } from './entries.ts';
import { errorRules, refusalRules } from './refusal-rules.ts';
import { peerServers, replicaServers, type Server } from './servers.ts';
import { paths, type Settings } from './settings.ts';
import type { Shape } from './shape.ts';
import { hostText } from './words.ts';

export type Compiled = {
  readonly configuration: string;
  /** What must lie beside it, by path. */
  readonly files: { readonly [path: string]: string };
};

/** From a plan and its names to the text that HAProxy is started with. The same in, the same out. */
export const compile = (shape: Shape, settings: Settings): Compiled => {
  const where = paths(settings);
  const peers = peerServers(shape, where);
  const maps = entries(shape);
  const files: Record<string, string> = {};
  for (const name of mapNames) {
    files[where.map(name)] = [...maps[name]].map(([key, value]) => `${key} ${value}\n`).join('');
  }
  for (const { name, publicKey } of peers) files[where.anchor(name)] = `${anchorOf(publicKey)}\n`;
  const sections = [
    global(settings),
    base(settings),
    ...tables,
    publicFrontend(settings),
    peerFrontend(settings),
    againFrontend(settings),
    metricsFrontend(settings),
    ['backend refusals from base', ...refusalRules(settings.nodeName)],
    verdicts(settings),
    waiting(settings),
    system('system', settings.systemSocket, []),
    system('peer_system', settings.peerSystemSocket, [
      'http-request set-header X-Skein-Peer %[var(txn.peer),map_str(' + where.map('ids') + ')]',
    ]),
    peersBackend(settings, peers),
    functionDefaults(settings),
    ...functionBackends(shape, settings),
  ];
  const configuration = sections.map(([head = '', ...lines]) => [head, ...lines.map((line) => `  ${line}`)].join('\n'));
  return { configuration: `${configuration.join('\n\n')}\n`, files };
};

type Section = readonly string[];

/** Longer bodies are carried by the waiting room, where they may go to a peer: larger buffers cost every call. */
const keptBytes = 16 * 1024;

/** A body that is kept for a second try, its head and what is added to it fit in one buffer. */
const bufferBytes = ({ maxHeaderBytes }: Settings): number => keptBytes + maxHeaderBytes + 8_192;

const global = (settings: Settings): Section => [
  'global',
  'master-worker',
  `nbthread ${settings.threads}`,
  `stats socket ${paths(settings).admin} mode 600 level admin expose-fd listeners`,
  'stats timeout 1d',
  `tune.bufsize ${bufferBytes(settings)}`,
  'tune.maxrewrite 4096',
  'tune.ssl.cachesize 0',
  `setenv SKEIN_MAPS ${settings.folder}`,
  `lua-load ${settings.lua}`,
  'log stderr format raw local0 notice',
  'hard-stop-after 1h',
];

const common = [
  'mode http',
  'log global',
  'option dontlognull',
  'option abortonclose',
  'option http-keep-alive',
  'http-reuse always',
  'timeout connect 5s',
  'timeout client 1h',
  'timeout server 1h',
  'timeout queue 1h',
  'timeout http-request 60s',
  'timeout http-keep-alive 75s',
];

const base = ({ upgradeIdleMs }: Settings): Section => [
  'defaults base',
  ...common,
  `timeout tunnel ${Math.max(1, upgradeIdleMs)}ms`,
];

/** `conn_cur` is how many run now. Keys are those of the plan, so the plan bounds the tables. */
const tables: readonly Section[] = (
  [
    ['t_node', 16],
    ['t_function', 256],
    ['t_peer', 32],
    ['t_flow', 288],
  ] as const
).map(([name, length]) => [
  `backend ${name} from base`,
  `stick-table type string len ${length} size 100k expire 20d store conn_cur,gpc0,gpc1,gpt0`,
]);

const isFunction = '{ var(txn.key) -m found }';
const act = (...acts: readonly string[]): string => `{ var(txn.act) -m str ${acts.join(' ')} }`;

/** Of one connection only, or said by nodes alone (`headers.ts`). */
const hidden = 'x-skein-.*|keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|te|trailer';
const headers = (names: string): string => `'^(?:${names})$' -m reg`;
const hiddenRequest = headers(hidden);
const hiddenAnswer = headers(`${hidden}|x-start-time|x-call-id`);

const oneHop = (direction: 'request' | 'response'): readonly string[] => {
  const [fetch, action] = direction === 'request' ? ['req', 'one_hop_request'] : ['res', 'one_hop_answer'];
  const count = `${fetch}.fhdr_cnt(connection)`;
  const plain = `{ ${count} eq 0 } or { ${count} eq 1 } { ${fetch}.fhdr(connection) -i keep-alive close }`;
  return [`http-${direction} lua.${action} unless ${plain}`];
};

/** `/function/NAME…` → `txn.key`, matched whole; what is none goes to the agent. */
const target: readonly string[] = [
  "http-request set-var(txn.key) path,field(3,/),concat(.openfaas-fn) if { path_beg /function/ } { path,field(3,/) -m reg '^[-a-zA-Z_0-9.][-a-zA-Z_0-9]*$' }",
  `http-request set-var(txn.key) path,field(3,/) if !${isFunction} { path_beg /function/ } { path,field(3,/) -m reg '^[-a-zA-Z_0-9.]+[.][-a-zA-Z_0-9.]*$' }`,
];

/** When a call came, nanoseconds: its function and its caller are told the same. */
const beginning: readonly string[] = [
  `http-request set-var-fmt(txn.begun) %[date(0,us)]000 if ${isFunction}`,
  'http-request set-var-fmt(txn.begun) %[date(0,us)]000 if { path_beg /async-function/ }',
  'http-after-response set-header X-Start-Time %[var(txn.begun)] if { var(txn.begun) -m found }',
];

const inward = `http-request replace-uri '^(?:[hH][tT][tT][pP][sS]?://[^/?]*)?/function/[^/?]+/?(.*)$' '/\\1'`;

/** Whether there is a plan and it does not end: `skein.lua` reads the same entry. */
const health = (settings: Settings): readonly string[] => [
  'http-request return status 405 hdr Allow "GET, HEAD" if { path /healthz } !{ method GET HEAD }',
  `http-request return status 200 if { path /healthz } { str(node),map_str(${paths(settings).map('node')}) -m sub draining=0 }`,
  'http-request return status 503 if { path /healthz }',
];

/** More than one `Host` has two meanings; heads are bounded. */
const heads = ({ maxHeaderBytes }: Settings): readonly string[] => [
  'http-request return status 400 content-type "text/plain; charset=utf-8" string "A request names one host.\\n" hdr Connection close if { req.fhdr_cnt(host) gt 1 }',
  `http-request return status 431 hdr Connection close if { req.hdrs,length gt ${maxHeaderBytes} }`,
  'http-request set-var(txn.call) req.fhdr(x-call-id)',
  'http-request set-var(txn.call) uuid() unless { var(txn.call),length gt 0 }',
];

const refusing = (reason: Reason, status: number, condition: string): readonly string[] => [
  `http-request set-var(txn.act) str(refuse) ${condition}`,
  `http-request set-var(txn.reason) str(${reason}) ${condition}`,
  `http-request set-var(txn.status) int(${status}) ${condition}`,
];

/** Before anything else is decided. */
const notAPeer = (condition: string): readonly string[] => {
  const [first = '', ...others] = refusing('not-a-peer', 403, `if ${act('refuse')}`);
  return [first.replace(`if ${act('refuse')}`, condition), ...others];
};

/** What runs here, and what this node has under way at peers, for as long as its stream lasts. */
const tracking: readonly string[] = [
  `http-request track-sc0 str(node) table t_node if ${act('serve', 'hold')}`,
  `http-request track-sc1 var(txn.key) table t_function if ${act('serve', 'hold')}`,
  'http-request sc-inc-gpc0(1) if { var(txn.quick) -m found }',
  `http-request track-sc2 var(txn.key),concat(<,txn.peer) table t_flow if ${act('serve', 'hold')} { var(txn.peer) -m found }`,
  `http-request track-sc0 var(txn.to) table t_peer if ${act('forward')}`,
  `http-request track-sc2 var(txn.key),concat(>,txn.to) table t_flow if ${act('forward')}`,
];

const destinations: readonly string[] = [
  `use_backend refusals if ${act('refuse')}`,
  `use_backend %[var(txn.slot)] if ${act('serve', 'run')}`,
  `use_backend peers if ${act('forward')}`,
  `use_backend waiting if ${act('hold', 'wait', 'carry')}`,
];

/** Refusals are counted where they leave, whoever of this node said them. */
const counting = ({ nodeName }: Settings): string =>
  `http-after-response set-var(txn.counted) lua.rejected if { res.fhdr(x-skein-reason) -m found } { res.fhdr(x-skein-node) -m str ${nodeName} }`;

const publicFrontend = (settings: Settings): Section => [
  'frontend public from base',
  `bind ${hostText(settings.gateway.host, settings.gateway.port)} backlog 2048`,
  'maxconn 20000',
  ...heads(settings),
  ...notAPeer('if { req.fhdr_cnt(dfaas-node-id) gt 0 }'),
  ...target,
  ...beginning,
  ...health(settings),
  ...oneHop('request'),
  ...origin(settings),
  ...upgrades,
  ...times('x-timeout'),
  `http-request add-header X-Start-Time %[var(txn.begun)] if ${isFunction}`,
  `http-request set-header X-Call-Id %[var(txn.call)] if ${isFunction}`,
  ...bodies(settings),
  `${inward} if ${isFunction}`,
  ...quick(settings),
  `http-request lua.enter if ${isFunction} !{ var(txn.act) -m found }`,
  ...tracking,
  counting(settings),
  ...destinations,
  'default_backend system',
];

/** Another protocol may be asked for, but none in which requests would pass unseen, and not along with a body. */
const upgrades: readonly string[] = [
  'http-request del-header upgrade if { req.fhdr(upgrade) -m sub -i h2c }',
  'http-request del-header upgrade if { req.fhdr_cnt(content-length) gt 0 }',
  'http-request del-header upgrade if { req.fhdr_cnt(transfer-encoding) gt 0 }',
];

/** What is said of the time that a call has: `skein.lua` understands it. */
const times = (header: string): readonly string[] => [
  `http-request set-var(txn.asked_${header === 'x-timeout' ? 'time' : 'left'}) req.fhdr(${header}) if { req.fhdr_cnt(${header}) gt 0 }`,
  `http-request del-header x-timeout if { req.fhdr_cnt(${header}) gt 0 } ${isFunction}`,
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
    `http-request set-var(txn.trusted) int(1) if { src ${trustedProxies.join(' ')} } ${isFunction}`,
    `${untrusted} unless ${about}`,
    `http-request del-header ${headers(always)} if ${about}`,
    from,
    saying(...host, ' { req.fhdr_cnt(x-forwarded-host) eq 0 }'),
    saying(...proto, ' { req.fhdr_cnt(x-forwarded-proto) eq 0 }'),
  ];
};

/** A call that runs here because there is room, and nothing else is to be decided: without a step into Lua. */
const quick = (settings: Settings): readonly string[] => {
  const { map } = paths(settings);
  const known = '{ var(txn.quick) -m found }';
  const fits = `${known} { var(txn.free) -m int gt 0 } { var(txn.more) -m int gt 0 }`;
  return [
    `http-request set-var(txn.quick) var(txn.key),map_str(${map('quick')}) if ${isFunction} !{ var(txn.act) -m found } !{ var(txn.asked_time) -m found }`,
    `http-request set-var(txn.free) str(node),table_conn_cur(t_node) if ${known}`,
    `http-request set-var(txn.free) str(node),map_str_int(${map('room')}),sub(txn.free) if ${known}`,
    `http-request set-var(txn.more) var(txn.key),table_conn_cur(t_function) if ${known}`,
    `http-request set-var(txn.more) var(txn.quick),field(2,:),sub(txn.more) if ${known}`,
    `http-request set-var(txn.act) str(serve) if ${fits}`,
    `http-request set-var(txn.slot) var(txn.quick),field(1,:) if ${act('serve')}`,
    `http-request set-var(txn.timeout) var(txn.quick),field(3,:),add(0) if ${act('serve')}`,
    `http-request unset-var(txn.quick) if ${known} !${act('serve')}`,
  ];
};

/** Short bodies are read whole first, so that they can be sent twice. */
const bodies = (settings: Settings): readonly string[] => {
  const { maxBodyBytes } = settings;
  const short = `${isFunction} !${act('refuse')} !{ var(txn.long) -m int 1 } { req.hdr_val(content-length) gt 0 }`;
  return [
    `http-request set-var(txn.long) int(1) if ${isFunction} { req.fhdr_cnt(transfer-encoding) gt 0 }`,
    `http-request set-var(txn.long) int(1) if ${isFunction} { req.hdr_val(content-length) gt ${keptBytes} }`,
    ...(maxBodyBytes > 0 ? tooLarge(settings) : []),
    `http-request wait-for-body time 20s if ${short}`,
    `http-request del-header expect if ${short} { req.fhdr(expect) -i 100-continue }`,
  ];
};

const tooLarge = (settings: Settings): readonly string[] => {
  const condition = `if { req.hdr_val(content-length) gt ${settings.maxBodyBytes} } { var(txn.key),map_str(${paths(settings).map('functions')}) -m found }`;
  return refusing('too-large', 413, condition);
};

const peerFrontend = (settings: Settings): Section => {
  const where = paths(settings);
  return [
    'frontend peers_in from base',
    `bind ${hostText(settings.peer.host, settings.peer.port)} backlog 2048 ssl crt ${where.certificate} ca-file ${where.certificate} verify optional crt-ignore-err all ca-ignore-err all ssl-min-ver TLSv1.3 no-tls-tickets alpn http/1.1`,
    'maxconn 20000',
    // Who has not proven to be a peer and asked for something by then may not hold a connection.
    'timeout http-request 5s',
    'option http-ignore-probes',
    'timeout client 5m',
    ...heads(settings),
    'http-request set-var(sess.key) lua.peer_key unless { var(sess.key) -m found }',
    `http-request set-var(txn.peer) var(sess.key),map_str(${where.map('keys')})`,
    ...notAPeer('if !{ var(txn.peer) -m found }'),
    // Asked so, a refusal has a status that no function gives, and the sender may try again whatever the function is.
    'http-request set-var(txn.refusal) int(1) if { req.fhdr(x-skein-refuse) -m str 425 }',
    // An HAProxy could only pass on a first word; whoever else asks waits for it.
    'http-request set-var(txn.waits) int(1) if !{ req.fhdr(x-skein-refuse) -m str 425 }',
    'http-request set-var(txn.waits) int(1) if { req.fhdr(x-skein-asked) -m str 1 }',
    ...target,
    `http-request set-var(txn.act) str(system) if !${isFunction} !${act('refuse')}`,
    ...health(settings).map((rule) => rule.replace(' if ', ` if ${act('system')} `)),
    ...oneHop('request'),
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
    ...destinations,
    'default_backend peer_system',
  ];
};

/** This node's own: calls that waited, hold their room, or come back from a peer that did not take them. */
const againFrontend = (settings: Settings): Section => [
  'frontend again from base',
  `bind unix@${paths(settings).again} mode 600`,
  'http-request set-var(txn.key) req.fhdr(x-skein-function)',
  'http-request set-var(txn.call) req.fhdr(x-call-id)',
  'http-request set-var(txn.tried) req.fhdr(x-skein-tried)',
  'http-request set-var(txn.held) int(1) if { req.fhdr(x-skein-held) 1 }',
  'http-request set-var(txn.asked) int(1) if { req.fhdr(x-skein-asked) 1 }',
  `${inward} if { req.fhdr(x-skein-outward) 1 }`,
  ...times('x-skein-deadline'),
  `http-request del-header ${hiddenRequest}`,
  'http-request lua.again',
  `http-request early-hint X-Skein-Taken "%[var(txn.act)] %[var(txn.to)]" if { var(txn.asked) -m int 1 } ${act('serve', 'run', 'hold', 'forward')}`,
  ...tracking,
  `use_backend verdicts if { var(txn.asked) -m int 1 } ${act('wait')}`,
  ...destinations,
];

/** To the waiting room: what its caller must know to wait on. */
const verdicts = ({ nodeName }: Settings): Section => [
  'backend verdicts from base',
  `http-request return status 503 hdr X-Skein-Verdict wait hdr X-Skein-Node ${nodeName} hdr X-Skein-Reason "%[var(txn.reason)]" hdr X-Skein-Status "%[var(txn.status)]" hdr X-Skein-Facts "%[var(txn.facts)]"`,
];

/** Calls for which HAProxy has no place now: they stay with a process that holds them and asks again. */
const waiting = (settings: Settings): Section => [
  'backend waiting from base',
  ...errorRules(settings.nodeName),
  'http-request set-header X-Skein-Function %[var(txn.key)]',
  'http-request set-header X-Skein-Deadline %[lua.left]',
  `http-request set-header X-Skein-Waits 1 if ${act('wait')}`,
  `http-request set-header X-Skein-Carried 1 if ${act('carry')}`,
  'http-request set-header X-Skein-Tried %[var(txn.tried)] if { var(txn.tried) -m found }',
  `server room unix@${paths(settings).waiting}`,
];

const system = (name: string, socket: string, rules: readonly string[]): Section => [
  `backend ${name} from base`,
  'http-error status 503 content-type "text/plain; charset=utf-8" string "The agent of this node does not run, so nothing can be managed here now. Calls to functions go on.\\n" hdr Retry-After 1',
  'retries 0',
  'timeout server 1d',
  ...rules,
  `server agent unix@${socket}`,
];

/** The server of no weight is chosen by name; where it does not take the call, the one with weight is left. */
const peersBackend = (settings: Settings, servers: readonly Server[]): Section => {
  const mine = '!{ srv_name again }';
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
    'use-server %[var(txn.to)] if TRUE',
    `http-response lua.heard if ${mine}`,
    ...oneHop('response'),
    `http-response del-header x-skein-load if ${mine}`,
    `http-response set-header X-Call-Id %[var(txn.call)] if ${mine}`,
    `server again unix@${paths(settings).again} weight 1`,
    ...servers.map(({ name, line }) => `server ${name} ${line}`),
  ];
};

const functionDefaults = ({ nodeName, upgradeIdleMs }: Settings): Section => {
  const mine = '!{ srv_name room }';
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
    'http-request set-timeout server var(txn.timeout)',
    'http-request set-var(txn.started) date(0,us)',
    `http-request add-header X-Skein-Node ${nodeName}`,
    'http-request add-header X-Skein-Function %[var(txn.key)]',
    'http-request set-header X-Timeout %[lua.left]ms if { var(txn.shortened) -m int 1 }',
    'http-response set-var(txn.took) date(0,us),sub(txn.started)',
    // An error is no quick answer in this sense: it is told apart (`ran`).
    'http-response unset-var(txn.quick) if { status ge 500 }',
    `http-response lua.served if ${mine} !{ var(txn.quick) -m found }`,
    ...[
      'sc-inc-gpc1(1)',
      'set-var(txn.total) sc_get_gpt0(1)',
      'sc-set-gpt0(1) var(txn.took),div(1000),add(txn.total)',
    ].map((action) => `http-response ${action} if ${mine} { var(txn.quick) -m found }`),
    // The mean follows one in sixteen of them.
    `http-response lua.sampled if ${mine} { var(txn.quick) -m found } { rand(16) eq 0 }`,
    `http-response set-header X-Duration-Seconds %[var(txn.took),div(1000000)].%[var(txn.took),mod(1000000),add(1000000),concat(),bytes(1,6)] if ${mine} { res.fhdr_cnt(x-duration-seconds) eq 0 }`,
    ...oneHop('response'),
    `http-response del-header ${hiddenAnswer} if ${mine}`,
    `http-response add-header X-Call-Id %[var(txn.call)] if ${mine}`,
    `http-response add-header X-Skein-Node ${nodeName} if ${mine}`,
  ];
};

/** All that there may be, empty or not: neither HAProxy 2.6 nor 3.0 makes one at run time. */
const functionBackends = (shape: Shape, settings: Settings): readonly Section[] => {
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

/** HAProxy's own figures, in Prometheus' format. */
const metricsFrontend = (settings: Settings): Section => [
  'frontend metrics from base',
  `bind unix@${paths(settings).metrics} mode 600`,
  'http-request use-service prometheus-exporter if { path /metrics }',
];
