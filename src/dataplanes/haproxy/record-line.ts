import type { FunctionKey } from '../../domain/ids.ts';
import { isReason, type Reason } from '../../domain/reason.ts';
import type { CallRecord } from '../../telemetry/call-record.ts';
import { recordFields, type RecordField } from './record-rules.ts';

/** What HAProxy wrote of a call that has ended (`record-rules.ts`); undefined for a line that tells of none. */
export const readRecord = (line: string): CallRecord | undefined => {
  const values = line.split(' ');
  if (values.length !== recordFields.length) return undefined;
  const raw = Object.fromEntries(recordFields.map((name, index) => [name, values[index]])) as Raw;
  if (raw.key === '-' || raw.begunUs === '-') return undefined;
  const { status, reason } = endOf(raw);
  const begunUs = number(raw.begunUs);
  // Both clocks are the machine's, which may be set back.
  const durationMs = Math.max(0, number(raw.endedUs) - begunUs) / 1000;
  const runMs = Math.min(
    durationMs,
    Math.max(0, raw.ranUs === '-' ? 0 : number(raw.endedUs) - number(raw.ranUs)) / 1000,
  );
  return {
    callId: text(raw.callId) ?? '',
    functionName: raw.key as FunctionKey,
    method: raw.method,
    path: text(raw.path) ?? '',
    status,
    reason,
    from: raw.peer === '-' ? raw.client.replace(/^::ffff:(?=\d)/i, '') : raw.peer,
    fromPeer: raw.peer !== '-',
    servedBy: raw.reason === '-' ? text(raw.node) : undefined,
    startedAt: begunUs / 1000,
    waitMs: durationMs - runMs,
    runMs,
    durationMs,
    bytesIn: bytesInOf(raw),
    bytesOut: bytesOutOf(raw),
    traceparentIn: text(raw.traceIn),
    traceparentOut: text(raw.traceOut),
  };
};

/** How many calls a line that tells of none stands for: HAProxy says so, or it was cut off. */
export const readLost = (line: string): number => {
  const [, count] = /^(\d+) events? dropped/.exec(line) ?? [];
  if (count !== undefined) return Number(count);
  return line.split(' ').length === recordFields.length ? 0 : 1;
};

type Raw = Readonly<Record<RecordField, string>>;

const number = (digits: string): number => (/^\d{1,17}$/.test(digits) ? Number(digits) : 0);

const text = (hex: string): string | undefined =>
  hex === '-' || hex === '' ? undefined : Buffer.from(hex, 'hex').toString('latin1');

/**
 * HAProxy says who ended the call and in which state (`%ts`): C and c are the client, S and s the server, capitals broke
 * off and others fell silent; in D and L the head of the answer was gone already.
 */
const endOf = ({ status, termination, reason, refusal }: Raw): { status: number; reason: Reason | undefined } => {
  const said = text(reason);
  const known = isReason(said) ? said : undefined;
  const whole = { status: status === '425' && known !== undefined ? number(refusal) : number(status), reason: known };
  const [who = '', when = ''] = termination;
  // What became another protocol ends as it likes.
  if (status === '101' || who === '-' || who === 'L' || who === 'P') return whole;
  if (who === 'C') return { status: 499, reason: undefined };
  if (when !== 'D' && when !== 'L') return whole;
  if (who === 'c') return { status: 499, reason: undefined };
  // K: ended by a command (`session-watch.ts`).
  if (who === 's' || who === 'K') return { status: 504, reason: 'timeout' };
  return { status: 502, reason: 'function-failed' };
};

/** HAProxy counts heads, and first words before them, too. */
const bytesInOf = ({ sent, sentHead, sentEnd }: Raw): number =>
  sentHead === '-' ? 0 : Math.max(0, number(sent) - number(sentHead) - number(sentEnd));

const bytesOutOf = ({ got, gotBefore, gotHead, gotEnd, gotLength }: Raw): number => {
  if (gotHead === '-') return 0;
  const bytes = Math.max(0, number(got) - number(gotBefore) - number(gotHead) - number(gotEnd));
  return gotLength === '-' ? bytes : Math.min(bytes, number(gotLength));
};
