import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTraceparent, parseTraceparent } from './trace-context.ts';

const [trace, span] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];

describe('traceparent', () => {
  it('is read, whatever its other flags, and also in a version to come', () => {
    const context = { traceId: trace, spanId: span };
    expect(parseTraceparent(`00-${trace}-${span}-01`)).toEqual({ ...context, sampled: true });
    expect(parseTraceparent(`00-${trace}-${span}-02`)).toEqual({ ...context, sampled: false });
    expect(parseTraceparent(` cc-${trace}-${span}-03-what-is-new `)).toEqual({ ...context, sampled: true });
  });

  it.each([
    undefined,
    '',
    '00',
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `00-${trace}-${span}-1`,
    `00-${trace}-${span}-01, 00-${trace}-${span}-01`,
  ])('is none: %s', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  it('comes back as it was written', () => {
    const hex = (digits: number) =>
      fc
        .array(fc.constantFrom(...'0123456789abcdef'.split('')), { minLength: digits, maxLength: digits })
        .map((all) => all.join(''))
        .filter((text) => !/^0+$/.test(text));
    const context = fc.record({ traceId: hex(32), spanId: hex(16), sampled: fc.boolean() });
    fc.assert(
      fc.property(context, (one) => {
        expect(parseTraceparent(formatTraceparent(one))).toEqual(one);
      }),
    );
  });

  it('of a stranger is read or refused, and never more', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseTraceparent(text)));
  });
});
