import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isWorthTelling, type Announced } from './announced.ts';

describe('what peers are told of measured slots', () => {
  test('is a change by a tenth or more', () => {
    const told: Announced = { slots: 40, at: 0 };
    expect([41, 43, 44, 36, 37].map((slots) => isWorthTelling(told, slots, 10_000))).toEqual([
      false,
      false,
      true,
      true,
      false,
    ]);
    expect(isWorthTelling({ slots: 2, at: 0 }, 3, 10_000)).toBe(true);
    expect(isWorthTelling({ slots: 2, at: 0 }, 2, 10_000)).toBe(false);
  });

  test('is at most one message in five seconds, however the slots jump', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 128 }), { minLength: 1, maxLength: 400 }), (slots) => {
        let told: Announced = { slots: 8, at: 0 };
        let messages = 0;
        for (const [look, present] of slots.entries()) {
          const now = look * 250;
          if (!isWorthTelling(told, present, now)) continue;
          told = { slots: present, at: now };
          messages += 1;
        }
        expect(messages).toBeLessThanOrEqual(Math.ceil((slots.length * 250) / 5_000));
      }),
    );
  });
});
