import { isFunction, type Section } from './rules.ts';
import { paths, type Settings } from './settings.ts';

/**
 * What HAProxy tells of each call once it has ended: a line to the plane's own process (`record-line.ts` reads it), by a
 * ring in memory. Calls never wait for it: what does not fit is dropped, and how much is told. Where nobody wants to know of
 * calls, none of this is in the configuration.
 */
const ringBytes = 8 * 1024 * 1024;

/** A field that holds what strangers said is twice as long as that, in hexadecimal digits. */
const lineBytes = ({ maxHeaderBytes }: Settings): number => Math.min(65_535, 2 * maxHeaderBytes + 4_096);

const wherever = (settings: Settings, lines: Section): Section => (settings.records ? lines : []);

export const recordRing = (settings: Settings): readonly Section[] =>
  settings.records
    ? [
        [
          'ring calls',
          'format raw',
          `maxlen ${lineBytes(settings)}`,
          `size ${ringBytes}`,
          'timeout connect 1s',
          'timeout server 1d',
          `server process unix@${paths(settings).calls} log-proto octet-count`,
        ],
      ]
    : [];

/** Of the line, in this order. `record-line.ts` has the same names. */
export const recordFields = [
  'key',
  'method',
  'path',
  'status',
  'termination',
  'reason',
  'refusal',
  'node',
  'client',
  'peer',
  'callId',
  'begunUs',
  'ranUs',
  'endedUs',
  'sent',
  'sentHead',
  'sentEnd',
  'got',
  'gotBefore',
  'gotHead',
  'gotEnd',
  'gotLength',
  'traceIn',
  'traceOut',
] as const;

export type RecordField = (typeof recordFields)[number];

const formats = (settings: Settings): Record<RecordField, string> => ({
  key: '%[var(txn.key)]',
  method: '%HM',
  path: '%[var(txn.path),hex]',
  status: '%ST',
  termination: '%ts',
  reason: '%[var(txn.said),hex]',
  refusal: '%[var(txn.status)]',
  node: '%[var(txn.by),hex]',
  client: '%ci',
  peer: `%[var(txn.peer),map_str(${paths(settings).map('ids')})]`,
  callId: '%[var(txn.call),hex]',
  begunUs: '%[var(txn.at)]',
  ranUs: '%[var(txn.ran)]',
  endedUs: '%[date(0,us)]',
  sent: '%U',
  sentHead: '%[var(txn.head)]',
  sentEnd: '%[var(txn.end)]',
  got: '%B',
  gotBefore: '%[var(txn.before)]',
  gotHead: '%[var(txn.headback)]',
  gotEnd: '%[var(txn.endback)]',
  gotLength: '%[var(txn.lengthback)]',
  traceIn: '%[var(txn.trace),hex]',
  traceOut: '%[var(txn.traced),hex]',
});

/** To HAProxy the end of a body in chunks is a byte, which is to come where the whole message is not there yet. */
const endCounts = (fetch: 'req' | 'res'): string =>
  `{ ${fetch}.fhdr_cnt(transfer-encoding) gt 0 } !{ internal.htx.has_eom }`;

/** First in a frontend where calls begin at this node. */
export const recordCall = (settings: Settings): Section => {
  const format = formats(settings);
  const { traceRatio } = settings;
  return wherever(settings, [
    `log ring@calls len ${lineBytes(settings)} format raw local0`,
    `log-format "${recordFields.map((name) => format[name]).join(' ')}"`,
    // Counts as it goes: what came before the answer, such as a first word, is told apart.
    'option contstats',
    'http-request set-var(txn.at) date(0,us)',
    'http-request set-var(txn.given) req.body_len',
    'http-request set-var(txn.head) req.len,sub(txn.given)',
    `http-request set-var(txn.end) int(1) if ${endCounts('req')}`,
    'http-request set-var(txn.path) path',
    'http-request set-var(txn.trace) req.fhdr(traceparent)',
    ...(traceRatio === undefined ? [] : [`http-request lua.trace ${traceRatio} if { path_beg /function/ }`]),
  ]);
};

/** Where it is known whether a request is a call: others are not told of. */
export const recordCallsOnly = (settings: Settings): Section =>
  wherever(settings, [`http-request set-log-level silent if !${isFunction}`]);

/** In such a frontend, of every answer: why it is what it is, and who said so. */
export const recordSaid = (settings: Settings): Section =>
  wherever(settings, [
    'http-after-response set-var(txn.said) res.fhdr(x-skein-reason)',
    'http-after-response set-var(txn.by) res.fhdr(x-skein-node)',
  ]);

/** Of an answer to a quick call, which leaves before `recordSaid` and has no reason: last of the rules for it. */
export const recordQuick = (settings: Settings): Section =>
  wherever(settings, [`http-response set-var(txn.by) str(${settings.nodeName})`]);

/** Last in such a frontend: also answers that HAProxy makes by itself have a length. */
export const recordEnd = (settings: Settings): Section =>
  wherever(
    settings,
    [
      'set-var-fmt(txn.before) %B',
      'set-var(txn.gave) res.body_len',
      'set-var(txn.lengthback) res.fhdr(content-length)',
      'set-var(txn.headback) res.len,sub(txn.gave)',
    ].map((action) => `http-after-response ${action} if !{ var(txn.headback) -m found }`),
  );

/** In the frontend where calls come again: whoever brought the call is told when it was given away. */
export const recordAgain = (settings: Settings): Section =>
  wherever(settings, ['http-after-response set-header X-Skein-Ran %[var(txn.ran)] if { var(txn.ran) -m found }']);

/** Of a backend that gives calls to replicas or peers. */
export const recordRun = (settings: Settings): Section =>
  wherever(settings, ['http-request set-var(txn.ran) date(0,us)']);

/** First of what a backend does to answers; `nested` says which of them came by the frontend `again`. */
export const recordAnswer = (settings: Settings, nested: string): Section =>
  wherever(settings, [
    'http-response set-var-fmt(txn.before) %B',
    'http-response set-var(txn.gave) res.body_len',
    'http-response set-var(txn.headback) res.len,sub(txn.gave)',
    `http-response set-var(txn.endback) int(1) if ${endCounts('res')}`,
    'http-response set-var(txn.lengthback) res.fhdr(content-length)',
    `http-response unset-var(txn.ran) ${nested}`.trimEnd(),
    `http-response set-var(txn.ran) res.fhdr(x-skein-ran) ${nested}`.trimEnd(),
    'http-response del-header x-skein-ran',
  ]);
