import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage, maxMessageBytes, messageVersion, type Message } from './message.ts';

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe('a message', () => {
  it('survives the journey', () => {
    const message: Message = { kind: 'strategy', strategy: 'recalc', payload: { limits: { 'f.openfaas-fn': 3.5 } } };
    expect(decodeMessage(encodeMessage(message))).toEqual(message);
  });

  it('never throws, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(decodeMessage(bytes)).toBeUndefined();
      }),
    );
  });

  it('never throws, whatever the JSON says', () => {
    const envelopes = fc.oneof(
      fc.jsonValue(),
      fc.record({ v: fc.constant(messageVersion), body: fc.jsonValue() }),
      fc.record({
        v: fc.constant(messageVersion),
        body: fc.record({
          kind: fc.constantFrom('announce', 'status', 'strategy', 'records', 'digest'),
          announcement: fc.jsonValue(),
          status: fc.jsonValue(),
          records: fc.jsonValue(),
        }),
      }),
    );
    fc.assert(
      fc.property(envelopes, (value) => {
        decodeMessage(bytesOf(value));
      }),
    );
  });

  it('never throws, however deep the JSON is', () => {
    expect(decodeMessage(new TextEncoder().encode('['.repeat(maxMessageBytes)))).toBeUndefined();
  });

  it('of another version is not understood', () => {
    expect(decodeMessage(bytesOf({ v: 2, body: { kind: 'digest', buckets: [], ask: true } }))).toBeUndefined();
    expect(decodeMessage(bytesOf({ v: 1, body: { kind: 'digest', buckets: [], ask: true } }))).toBeDefined();
  });

  it('that is too long is refused on both sides', () => {
    const long = 'x'.repeat(maxMessageBytes);
    expect(() => encodeMessage({ kind: 'strategy', strategy: 's', payload: long })).toThrow(RangeError);
    expect(decodeMessage(bytesOf({ v: 1, body: { kind: 'strategy', strategy: 's', payload: long } }))).toBeUndefined();
  });
});
