import { hidden, inward, keptBytes, namesNone } from './rules.ts';
import { paths, type Settings } from './settings.ts';

/**
 * A call that runs here because there is room, and of which nothing else is to be decided: nearly all of them. It takes
 * a short way through the frontend, which ends with `allow`; every rule costs each call some tenths of a microsecond.
 */
export const isQuick = '{ var(txn.quick) -m found }';

/** A header that wants rules of its own: the call takes the long way. `x-forwarded-…` of a trusted proxy does not. */
const odd = (trusting: boolean): string => {
  const others = `dfaas-node-id|forwarded|x-start-time|x-call-id|x-timeout|upgrade|transfer-encoding|expect`;
  const names = `${hidden}|${others}${trusting ? '' : '|x-forwarded-(?:for|host|proto)'}`;
  return `{ req.hdr_names -m reg '(?:^|,)(?:host,(?:.*,)?host|${names})(?:,|$)' }`;
};

/** The frontend's part. What it sets is overwritten where a call goes the long way after all. */
export const quickRules = (settings: Settings): readonly string[] => {
  const { maxHeaderBytes, maxBodyBytes, trustedProxies } = settings;
  const { map } = paths(settings);
  const longest = maxBodyBytes > 0 ? Math.min(keptBytes, maxBodyBytes) : keptBytes;
  const plain = [
    ...(trustedProxies.length > 0 ? [`{ src ${trustedProxies.join(' ')} }`] : []),
    `!${odd(trustedProxies.length > 0)}`,
    `!{ req.hdrs,length gt ${maxHeaderBytes} }`,
    `!{ req.hdr_val(content-length) gt ${longest} }`,
  ].join(' ');
  const conditions = namesNone('req').map((names) => `${plain} ${names}`);
  return [
    `http-request set-var(txn.quick) path,field(1,/,3),map_str(${map('quick')}) if ${conditions.join(' or ')}`,
    'http-request set-var(txn.begun) date(0,us)',
    `http-request wait-for-body time 20s if ${isQuick}`,
    'http-request set-var(txn.key) var(txn.quick),field(4,:)',
    'http-request set-var(txn.free) str(node),table_conn_cur(t_node)',
    `http-request set-var(txn.free) str(node),map_str_int(${map('room')}),sub(txn.free)`,
    'http-request set-var(txn.more) var(txn.key),table_conn_cur(t_function)',
    'http-request set-var(txn.more) var(txn.quick),field(2,:),sub(txn.more)',
    'http-request allow if { var(txn.free) -m int gt 0 } { var(txn.more) -m int gt 0 }',
    'http-request unset-var(txn.quick)',
    'http-request unset-var(txn.key)',
    'http-request unset-var(txn.begun)',
  ];
};

/** The backend's part, after which nothing comes: what the long way does in the frontend. */
export const quickRequest = ({ trustedProxies }: Settings): readonly string[] => {
  const unless = (name: string): string => (trustedProxies.length > 0 ? ` if { req.fhdr_cnt(${name}) eq 0 }` : '');
  return [
    'http-request track-sc0 str(node) table t_node',
    'http-request track-sc1 var(txn.key) table t_function',
    'http-request sc-inc-gpc0(1)',
    'http-request set-var(txn.call) uuid()',
    'http-request set-timeout server var(txn.quick),field(3,:)',
    inward,
    'http-request add-header X-Forwarded-For %[src]',
    `http-request add-header X-Forwarded-Host %[req.hdr(host)]${unless('x-forwarded-host')}`,
    `http-request add-header X-Forwarded-Proto http${unless('x-forwarded-proto')}`,
    'http-request add-header X-Start-Time %[var(txn.begun)]000',
    'http-request add-header X-Call-Id %[var(txn.call)]',
  ];
};

/** Counted without a step into Lua; an error is no quick answer in this sense: it is told apart (`ran`). */
export const quickAnswer: readonly string[] = [
  'http-response unset-var(txn.quick) if { status ge 500 }',
  `http-response lua.served if !${isQuick}`,
  `http-response allow if !${isQuick}`,
  'http-response sc-inc-gpc1(1)',
  'http-response set-var(txn.total) sc_get_gpt0(1)',
  'http-response sc-set-gpt0(1) var(txn.took),div(1000),add(txn.total)',
  // The mean follows one in sixteen of them.
  'http-response lua.sampled if { rand(16) eq 0 }',
];
