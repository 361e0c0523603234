import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { beginLocal, emptyLive } from './live.ts';
import { formatLoad, parseLoad } from './load-header.ts';
import { functionPlan, key, planOf } from './plans.testing.ts';

it('says how busy the node is, and the function where it has a bound', () => {
  const bounded = functionPlan({ maxInFlight: 4 });
  const live = emptyLive();
  for (let call = 0; call < 2; call += 1) beginLocal(live, planOf(bounded), key, undefined, 0);
  expect(formatLoad(planOf(bounded, { slots: 8 }), live, key)).toBe('2/8;2/4');
  expect(formatLoad(planOf(bounded, { slots: 8 }), live, key, 1)).toBe('1/8;1/4');
  expect(formatLoad(planOf(functionPlan(), { slots: 8 }), live, key)).toBe('2/8');
  expect(formatLoad(planOf(bounded, { slots: 8 }), live, undefined)).toBe('2/8');
});

it('reads what it writes', () => {
  const count = fc.integer({ min: 0, max: 9_999_999 });
  fc.assert(
    fc.property(count, count, count, count, (inFlight, slots, there, limit) => {
      expect(parseLoad(`${inFlight}/${slots}`)).toEqual({ inFlight, slots });
      expect(parseLoad(`${inFlight}/${slots};${there}/${limit}`)).toEqual({
        inFlight,
        slots,
        function: { inFlight: there, limit },
      });
    }),
  );
});

it.each([
  ['nothing', undefined],
  ['an empty one', ''],
  ['a sign', '-1/8'],
  ['a fraction', '1.5/8'],
  ['an exponent', '1e3/8'],
  ['a word', 'NaN/8'],
  ['infinity', 'Infinity/8'],
  ['a space', ' 1/8'],
  ['half of it', '1/'],
  ['too much of it', '1/8;1/4;1/2'],
  ['an open end', '1/8;'],
  ['two at once', '1/8, 1/8'],
  ['a number without end', `${'9'.repeat(400)}/8`],
  ['another script', '١/٨'],
  ['a line more', '1/8\n1/8'],
])('takes %s for no report', (_name, text) => {
  expect(parseLoad(text)).toBeUndefined();
});

it('gives finite numbers at least 0 or nothing, whatever it reads', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9/;.eE+-]{0,20}$/));
  fc.assert(
    fc.property(text, (hostile) => {
      const report = parseLoad(hostile);
      if (report === undefined) return;
      const { inFlight, slots } = report;
      for (const value of [inFlight, slots, report.function?.inFlight ?? 0, report.function?.limit ?? 0]) {
        expect(Number.isSafeInteger(value) && value >= 0).toBe(true);
      }
    }),
  );
});
