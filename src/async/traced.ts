import { valueOf, type RawHeaders } from '../dataplanes/headers.ts';
import { splitFunctionKey, type FunctionKey } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import type { EndedSpan, Spans } from '../telemetry/spans.ts';

type Needs = { readonly spans?: Spans | undefined; readonly clock: Pick<Clock, 'now' | 'monotonic'> };

type Subject = {
  readonly name: string;
  readonly kind: EndedSpan['kind'];
  readonly key: FunctionKey;
  readonly callId: string;
  readonly headers: readonly string[];
};

export type Traced = {
  /** With this step as the parent of what comes next; as they were where nothing is traced. */
  readonly headers: RawHeaders;
  end(outcome: { readonly failed: boolean; readonly attributes?: EndedSpan['attributes'] }): void;
};

/** A step of an asynchronous call, as a span of the trace that its headers name. */
export const traced = ({ spans, clock }: Needs, { name, kind, key, callId, headers }: Subject): Traced => {
  if (spans === undefined) return { headers: [...headers], end: () => undefined };
  const traceparentIn = valueOf(headers, 'traceparent');
  const { outgoing } = spans.begin(traceparentIn, valueOf(headers, 'tracestate'));
  const [startedAt, begunAt] = [clock.now(), clock.monotonic()];
  const whole = splitFunctionKey(key);
  return {
    headers: [...withoutTraceparent(headers), 'traceparent', outgoing],
    end: ({ failed, attributes }) =>
      spans.end({
        name: `${name} ${key}`,
        ...{ kind, traceparentIn, traceparentOut: outgoing, startedAt, failed },
        durationMs: clock.monotonic() - begunAt,
        attributes: {
          'skein.function': whole.name,
          'skein.namespace': whole.namespace,
          'skein.call_id': callId,
          ...attributes,
        },
      }),
  };
};

const withoutTraceparent = (headers: readonly string[]): readonly string[] =>
  headers.filter((_, index) => headers[index - (index % 2)]?.toLowerCase() !== 'traceparent');
