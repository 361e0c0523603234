import { addHeaders, clientHeaders, hidden, hiddenAnswers, inward, keptBytes, type HeaderText } from './rules.ts';
import { paths, type Settings } from './settings.ts';

/**
 * A call that runs here because there is room, and of which nothing else is to be decided: nearly all of them. It takes
 * a short way through the frontend, which ends with `allow`; every rule costs each call some tenths of a microsecond. That is why
 * numbers become text by `lower` here: it is the cheapest of what makes text of them.
 */
export const isQuick = '{ var(txn.quick) -m found }';

/** Between names and values, and at the ends of lines, of as many headers as may come. */
const separators = 4 * clientHeaders;

/** A header that wants rules of its own: the call takes the long way. `x-forwarded-…` of a trusted proxy does not. */
const odd = (trusting: boolean): string => {
  const others = `connection|dfaas-node-id|forwarded|x-start-time|x-call-id|x-timeout|upgrade|transfer-encoding|expect`;
  const names = `${hidden}|${others}${trusting ? '' : '|x-forwarded-(?:for|host|proto)'}`;
  return `{ req.hdr_names -m reg '(?:^|,)(?:host,(?:.*,)?host|${names})(?:,|$)' }`;
};

/** Of a connection, once: what every call of it says, as text. */
export const quickConnection: readonly string[] = [
  'tcp-request connection set-var(sess.from) src,concat()',
  'tcp-request connection set-var(sess.call) uuid(),bytes(0,24)',
];

/** The frontend's part. What it sets is overwritten where a call goes the long way after all. */
export const quickRules = (settings: Settings): readonly string[] => {
  const { maxHeaderBytes, maxBodyBytes, trustedProxies } = settings;
  const { map } = paths(settings);
  const longest = Math.min(keptBytes(settings), maxBodyBytes > 0 ? maxBodyBytes : Infinity);
  const plain = [
    ...(trustedProxies.length > 0 ? ['trusted'] : []),
    `!${odd(trustedProxies.length > 0)}`,
    // Cheaper than `req.hdrs,length`, and with `separators` never less.
    `{ internal.htx.data lt ${maxHeaderBytes - separators} }`,
    `{ req.body_size le ${longest} }`,
    // Cheaper than `req.fhdr_cnt`, and never less: parts of the message, of which each header is one.
    `{ internal.htx.nbblks le ${clientHeaders} }`,
  ].join(' ');
  const isRoom = `{ str(node),table_conn_cur(t_node),map_int(${map('room')}) -m found }`;
  return [
    // A line for each: HAProxy takes no more than 64 words.
    ...trustedProxies.map((network) => `acl trusted src ${network}`),
    `http-request set-var(txn.quick) path,field(1,/,3),map_str(${map('quick')}) if ${plain}`,
    `http-request wait-for-body time 20s if ${isQuick}`,
    'http-request set-var(txn.key) var(txn.quick),field(4,:)',
    `http-request allow if { var(txn.quick) -m beg any: } ${isRoom}`,
    'http-request set-var(txn.more) var(txn.key),table_conn_cur(t_function)',
    `http-request allow if { var(txn.quick),field(1,:),sub(txn.more) -m int gt 0 } ${isRoom}`,
    'http-request unset-var(txn.quick)',
    'http-request unset-var(txn.key)',
  ];
};

/** The backend's part, after which nothing comes: what the long way does in the frontend. */
export const quickRequest = ({ nodeName, trustedProxies }: Settings): readonly string[] => {
  const forwarded: readonly HeaderText[] = [
    ['X-Forwarded-Host', '%[req.fhdr(host)]'],
    ['X-Forwarded-Proto', 'http'],
  ];
  const trusting = trustedProxies.length > 0;
  const unlessSaid = ([name, value]: HeaderText): string =>
    `http-request add-header ${name} ${value} if { req.fhdr_cnt(${name.toLowerCase()}) eq 0 }`;
  return [
    'http-request track-sc0 str(node) table t_node',
    'http-request track-sc1 var(txn.key) table t_function',
    'http-request sc-inc-gpc0(1)',
    'http-request set-var-fmt(txn.call) %[var(sess.call)]%[var(txn.started),lower,bytes(4,12)]',
    'http-request set-timeout server var(txn.quick),field(2,:)',
    inward,
    ...(trusting ? forwarded.map(unlessSaid) : []),
    ...addHeaders('request', [
      ['X-Forwarded-For', '%[var(sess.from)]'],
      ...(trusting ? [] : forwarded),
      ['X-Start-Time', '%[var(txn.started)]000'],
      ['X-Call-Id', '%[var(txn.call)]'],
      ['X-Skein-Node', nodeName],
      ['X-Skein-Function', '%[var(txn.key)]'],
    ]),
  ];
};

/** A header that wants rules of its own: it is not passed on, or nothing is added to it. Not `Keep-Alive`: Node's servers always send it. */
const oddAnswer = `{ res.hdr_names -m reg '(?:^|,)(?:${hiddenAnswers.replace('keep-alive|', '')}|connection|x-duration-seconds)(?:,|$)' }`;

/** Of the rules for whatever leaves, an answer that took this way needs none. HAProxy's own errors took none. */
export const quickEnd = 'http-after-response allow if { var(txn.span) -m found }';

/**
 * First of a backend's rules for answers: one of a quick call leaves them, and the frontend's (`quickAnswer`) are next. An
 * error goes the long way, and so does what took a second or longer: its time is not written with six digits alone.
 */
export const quickAnswered: readonly string[] = [
  'http-response set-var(txn.span) date(0,us),sub(txn.started)',
  `http-response allow if ${isQuick} { status lt 500 } { var(txn.span) -m int lt 1000000 } !${oddAnswer}`,
  'http-response unset-var(txn.span)',
  'http-response unset-var(txn.quick)',
];

/**
 * Counted without a step into Lua, which takes nearly as long as all these rules; time in tenths of a millisecond. An error
 * is no quick answer in this sense: it is told apart (`ran`).
 */
export const quickAnswer = ({ nodeName }: Settings): readonly string[] => [
  'http-response allow if !{ var(txn.span) -m found }',
  'http-response del-header keep-alive',
  ...addHeaders('response', [
    ['X-Duration-Seconds', '0.%[var(txn.span),add(1000000),lower,bytes(1,6)]'],
    ['X-Call-Id', '%[var(txn.call)]'],
    ['X-Skein-Node', nodeName],
    ['X-Start-Time', '%[var(txn.started)]000'],
  ]),
  'http-response sc-inc-gpc1(1)',
  'http-response sc-set-gpt0(1) sc_get_gpt0(1),mul(100),add(txn.span),div(100)',
];
