import { clientHeaders, hidden, hiddenAnswers, inward, keptBytes } from './rules.ts';
import { paths, type Settings } from './settings.ts';

/**
 * A call that runs here because there is room, and of which nothing else is to be decided: nearly all of them. It takes
 * a short way through the frontend, which ends with `allow`; every rule costs each call some tenths of a microsecond.
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
    `{ req.fhdr_cnt le ${clientHeaders} }`,
  ].join(' ');
  const isRoom = `{ str(node),table_conn_cur(t_node),map_int(${map('room')}) -m found }`;
  return [
    // A line for each: HAProxy takes no more than 64 words.
    ...trustedProxies.map((network) => `acl trusted src ${network}`),
    `http-request set-var(txn.quick) path,field(1,/,3),map_str(${map('quick')}) if ${plain}`,
    `http-request wait-for-body time 20s if ${isQuick}`,
    'http-request set-var(txn.key) var(txn.quick),field(4,:)',
    `http-request allow if { var(txn.quick),field(2,:) -m str any } ${isRoom}`,
    'http-request set-var(txn.more) var(txn.key),table_conn_cur(t_function)',
    `http-request allow if { var(txn.quick),field(2,:),sub(txn.more) -m int gt 0 } ${isRoom}`,
    'http-request unset-var(txn.quick)',
    'http-request unset-var(txn.key)',
  ];
};

/** The backend's part, after which nothing comes: what the long way does in the frontend. */
export const quickRequest = ({ trustedProxies }: Settings): readonly string[] => {
  const unless = (name: string): string => (trustedProxies.length > 0 ? ` if { req.fhdr_cnt(${name}) eq 0 }` : '');
  return [
    'http-request track-sc0 str(node) table t_node',
    'http-request track-sc1 var(txn.key) table t_function',
    'http-request sc-inc-gpc0(1)',
    'http-request set-var-fmt(txn.call) %[var(sess.call)]%[var(txn.started),concat(),bytes(4,12)]',
    'http-request set-timeout server var(txn.quick),field(3,:)',
    inward,
    'http-request add-header X-Forwarded-For %[var(sess.from)]',
    `http-request add-header X-Forwarded-Host %[req.hdr(host)]${unless('x-forwarded-host')}`,
    `http-request add-header X-Forwarded-Proto http${unless('x-forwarded-proto')}`,
    'http-request add-header X-Start-Time %[var(txn.started)]000',
    'http-request add-header X-Call-Id %[var(txn.call)]',
  ];
};

/** An answer with a header that is not passed on, but for `Keep-Alive`: Node's servers always send it. */
export const oddAnswer = `{ res.hdr_names -m reg '(?:^|,)(?:${hiddenAnswers.replace('keep-alive|', '')}|connection)(?:,|$)' }`;

/** Of the rules for whatever leaves, an answer that took this way needs none. */
export const quickEnd = 'http-after-response allow if { var(txn.total) -m found }';

/**
 * Counted without a step into Lua, which takes nearly as long as all these rules; time in tenths of a millisecond. An error
 * is no quick answer in this sense: it is told apart (`ran`).
 */
export const quickAnswer: readonly string[] = [
  'http-response add-header X-Start-Time %[var(txn.started)]000',
  'http-response sc-inc-gpc1(1)',
  'http-response set-var(txn.total) sc_get_gpt0(1)',
  'http-response sc-set-gpt0(1) var(txn.took),div(100),add(txn.total)',
];
