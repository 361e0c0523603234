import { describe, expect, it } from 'vitest';
import { readLost, readRecord } from './record-line.ts';
import { recordFields, type RecordField } from './record-rules.ts';

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex').toUpperCase();

const told: Readonly<Record<RecordField, string>> = {
  key: 'hello.openfaas-fn',
  method: 'POST',
  path: hex('/function/hello/a"b\\c'),
  status: '200',
  termination: '--',
  reason: '-',
  refusal: '-',
  node: hex('north'),
  client: '127.0.0.1',
  peer: '-',
  callId: hex('an id'),
  begunUs: '1795332602794026',
  ranUs: '1795332602795026',
  endedUs: '1795332602804026',
  sent: '300153',
  sentHead: '153',
  sentEnd: '-',
  got: '185',
  gotBefore: '40',
  gotHead: '140',
  gotEnd: '-',
  gotLength: '5',
  traceIn: '-',
  traceOut: '-',
};
const lineOf = (changes: Partial<Record<RecordField, string>> = {}): string =>
  recordFields.map((name) => ({ ...told, ...changes })[name]).join(' ');
const read = (changes: Partial<Record<RecordField, string>> = {}) => readRecord(lineOf(changes));

describe('what HAProxy tells of a call', () => {
  it('is a record in the units of every data plane', () => {
    expect(read()).toEqual({
      callId: 'an id',
      functionName: 'hello.openfaas-fn',
      method: 'POST',
      path: '/function/hello/a"b\\c',
      status: 200,
      reason: undefined,
      from: '127.0.0.1',
      fromPeer: false,
      servedBy: 'north',
      startedAt: 1_795_332_602_794.026,
      waitMs: 1,
      runMs: 9,
      durationMs: 10,
      bytesIn: 300_000,
      bytesOut: 5,
      traceparentIn: undefined,
      traceparentOut: undefined,
    });
  });

  it.each([
    ['the client left before an answer', { termination: 'CH', status: '-1' }, 499, undefined],
    ['the client left in the middle', { termination: 'CD' }, 499, undefined],
    ['the client took nothing any more', { termination: 'cD' }, 499, undefined],
    ['the function broke off in the middle', { termination: 'SD' }, 502, 'function-failed'],
    ['its time was over in the middle', { termination: 'sD' }, 504, 'timeout'],
    ['its time was over while it went on', { termination: 'KD' }, 504, 'timeout'],
    ['its time was over', { termination: 'sH', status: '504', reason: hex('timeout') }, 504, 'timeout'],
    ['a peer was refused', { termination: 'LR', status: '425', refusal: '429', reason: hex('full') }, 429, 'full'],
    ['a body did not come', { termination: 'cR', status: '408' }, 408, undefined],
    ['another protocol ended', { termination: 'CD', status: '101' }, 101, undefined],
    ['a peer says what is no reason', { reason: hex('because') }, 200, undefined],
  ] as const)('says how it ended: %s', (_name, changes, status, reason) => {
    expect(read(changes)).toMatchObject({ status, reason });
  });

  it('counts the bytes of bodies alone', () => {
    const chunked = { sentEnd: '1', sent: '158', got: '281', gotEnd: '1', gotLength: '-' };
    expect(read(chunked)).toMatchObject({ bytesIn: 4, bytesOut: 100 });
    expect(read({ gotHead: '-' })).toMatchObject({ bytesOut: 0 });
    expect(read({ got: '999' })).toMatchObject({ bytesOut: 5 });
  });

  it('names the peer that sent it', () => {
    expect(read({ peer: '12D3KooEast' })).toMatchObject({ from: '12D3KooEast', fromPeer: true });
  });

  it('is never longer than no time, though a clock is set back', () => {
    expect(read({ endedUs: '1795332602000000' })).toMatchObject({ durationMs: 0, waitMs: 0, runMs: 0 });
  });

  it.each(['', 'hello', lineOf().slice(0, -3), `${lineOf()} more`, lineOf({ key: '-' })])(
    'is nothing in %j',
    (line) => {
      expect(readRecord(line)).toBeUndefined();
    },
  );

  it('says how many calls it could not tell of', () => {
    expect(readLost('11799 events dropped')).toBe(11_799);
    expect(readLost('1 event dropped')).toBe(1);
    expect(readLost(lineOf().slice(0, -3))).toBe(1);
    expect(readLost(lineOf({ key: '-' }))).toBe(0);
  });
});
