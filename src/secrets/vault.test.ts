import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVault } from './vault.ts';

const key = 'ab'.repeat(32);
const label = 'secret/openfaas-fn/token';

describe('a vault', () => {
  const vault = createVault(key);

  it('gives back every value byte for byte, and to another vault of the same key', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.string({ maxLength: 60 }), (value, label) => {
        expect(createVault(key).open(label, vault.seal(label, value))).toEqual(Buffer.from(value));
      }),
    );
  });

  it('never seals one value twice alike, and never lets it shine through', () => {
    const value = Buffer.from('correct horse battery staple');
    const [one, other] = [vault.seal(label, value), vault.seal(label, value)];
    expect(one).not.toBe(other);
    for (const sealed of [one, other]) {
      expect(Buffer.from(sealed.slice(3), 'base64').includes(value)).toBe(false);
    }
  });

  it('opens nothing for another label, with another key, or after a change', () => {
    const sealed = vault.seal(label, Buffer.from('swordfish'));
    const bytes = Buffer.from(sealed.slice(3), 'base64');
    expect(() => vault.open('secret/openfaas-fn/other', sealed)).toThrow(/cannot be opened/);
    expect(() => createVault('cd'.repeat(32)).open(label, sealed)).toThrow(/cannot be opened/);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => vault.open(label, `v1.${changed.toString('base64')}`)).toThrow(/cannot be opened/);
    }
    for (const text of ['', 'v1.', 'v2.AAAA', sealed.slice(0, 30)]) expect(() => vault.open(label, text)).toThrow();
  });

  it('takes no key of another length', () => {
    expect(() => createVault('ab')).toThrow(/64 hexadecimal/);
  });
});
