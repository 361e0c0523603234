import { describe, expect, it } from 'vitest';
import { checkQuantities } from './quantities.ts';

describe('quantities of memory and CPU', () => {
  it.each([
    ...['128Mi', '1Gi', '20M', '512', '128974848', '129e6', '1E3', '1e-3', '1.5Gi', '.5', '5.', '+2', '0', '1Ei', '1E'],
    ...['100m', '0.25', '2', '100n', '100u', '128m', '1k', ''],
  ])('may be %j', (text) => {
    for (const field of ['limits', 'requests'] as const) {
      expect(() => checkQuantities(field, { memory: text, cpu: text })).not.toThrow();
    }
  });

  it.each(['lots', 'Mi', '.', '128MB', '128 Mi', '64K', '1e', '1.2.3', '-1', '0x10', '1Ki\n', ' 1', 'NaN', '1mi'])(
    'is refused as %j, by its name',
    (text) => {
      expect(() => checkQuantities('limits', { memory: text })).toThrow(
        'limits.memory: must be a quantity such as 128Mi',
      );
      expect(() => checkQuantities('requests', { cpu: text })).toThrow('requests.cpu: must be a quantity such as 500m');
    },
  );

  it('may be left out', () => {
    for (const none of [null, undefined, {}, { memory: undefined }]) {
      expect(() => checkQuantities('limits', none)).not.toThrow();
    }
  });
});
