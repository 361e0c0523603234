/** Where a span stands in a trace (W3C Trace Context, level 1). Ids are lower-case hexadecimal: 32 and 16 digits. */
export type TraceContext = {
  readonly traceId: string;
  readonly spanId: string;
  /** Whether whoever began the trace wants it kept. */
  readonly sampled: boolean;
};

/** Version, trace, span, flags; versions to come may add more behind. */
const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const sampledFlag = 1;

/** Undefined for what is no `traceparent`: then a trace begins here. */
export const parseTraceparent = (text: string | undefined): TraceContext | undefined => {
  const match = text === undefined ? null : pattern.exec(text.trim());
  if (match === null) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = match;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & sampledFlag) !== 0 };
};

export const formatTraceparent = ({ traceId, spanId, sampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
