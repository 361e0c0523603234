import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { aloneCatalogue } from '../gateway/node.fixture.ts';
import { systemClock } from '../std/clock.ts';
import { createSecrets, maxSecretBytes } from './secrets.ts';
import type { Secrets } from './secrets.ts';
import { createVault } from './vault.ts';

const ns = 'openfaas-fn';

let catalogue: Catalogue;
let secrets: Secrets;

beforeEach(async () => {
  catalogue = aloneCatalogue('node-1');
  await catalogue.start();
  secrets = createSecrets({ catalogue, vault: createVault('ab'.repeat(32)), clock: systemClock });
});

afterEach(async () => catalogue.stop());

const everything = (): string => JSON.stringify(catalogue.list(''));

describe('secrets', () => {
  it('are kept sealed and read byte for byte', async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 0xc3]);
    await secrets.create(ns, 'binary', bytes);
    await secrets.create(ns, 'text', Buffer.from('swordfish\n'));
    expect(secrets.read(ns, ['text', 'binary'])).toEqual(
      new Map([
        ['text', Buffer.from('swordfish\n')],
        ['binary', bytes],
      ]),
    );
    expect(everything()).not.toContain('swordfish');
    expect(secrets.list(ns)).toEqual(['binary', 'text']);
    expect(secrets.list('dev')).toEqual([]);
  });

  it('are made once, changed only where they are, and gone when removed', async () => {
    await expect(secrets.update(ns, 'a', Buffer.from('1'))).rejects.toMatchObject({ code: 'not-found' });
    await secrets.create(ns, 'a', Buffer.from('1'));
    await expect(secrets.create(ns, 'a', Buffer.from('2'))).rejects.toMatchObject({ code: 'exists' });
    await secrets.update(ns, 'a', Buffer.from('3'));
    expect(secrets.read(ns, ['a']).get('a')?.toString()).toBe('3');
    await secrets.remove(ns, 'a');
    await expect(secrets.remove(ns, 'a')).rejects.toMatchObject({ code: 'not-found' });
    expect(() => secrets.read(ns, ['a', 'b'])).toThrow('unable to find secret: a, b');
  });

  it.each(['', '.', '..', '../a', 'a/b', 'a\\b', 'a b', 'ä', 'x'.repeat(254)])('cannot be named %j', async (name) => {
    await expect(secrets.create(ns, name, Buffer.from('1'))).rejects.toMatchObject({ code: 'invalid' });
    await expect(secrets.update(ns, name, Buffer.from('1'))).rejects.toMatchObject({ code: 'not-found' });
    await expect(secrets.remove(ns, name)).rejects.toMatchObject({ code: 'not-found' });
    expect(secrets.missing(ns, [name])).toEqual([name]);
  });

  it('are as long as the bound and no longer', async () => {
    await secrets.create(ns, 'long', Buffer.alloc(maxSecretBytes, 7));
    expect(secrets.read(ns, ['long']).get('long')).toHaveLength(maxSecretBytes);
    const longer = Buffer.alloc(maxSecretBytes + 1);
    await expect(secrets.create(ns, 'longer', longer)).rejects.toMatchObject({ code: 'too-large' });
  });

  it('have versions that change with a value and with nothing else', async () => {
    expect(secrets.versions(ns, [])).toBe('');
    const absent = secrets.versions(ns, ['a', 'b']);
    await secrets.create(ns, 'a', Buffer.from('1'));
    const first = secrets.versions(ns, ['b', 'a', 'a']);
    expect(first).not.toBe(absent);
    await secrets.update(ns, 'a', Buffer.from('1'));
    await secrets.create(ns, 'c', Buffer.from('1'));
    expect(secrets.versions(ns, ['a', 'b'])).toBe(first);
    await secrets.update(ns, 'a', Buffer.from('2'));
    expect(secrets.versions(ns, ['a', 'b'])).not.toBe(first);
  });

  it('of another federation say that they cannot be opened, and can be set again', async () => {
    await secrets.create(ns, 'a', Buffer.from('1'));
    const other = createSecrets({ catalogue, vault: createVault('cd'.repeat(32)), clock: systemClock });
    expect(() => other.read(ns, ['a'])).toThrow(/another federation key/);
    await other.update(ns, 'a', Buffer.from('2'));
    expect(other.read(ns, ['a']).get('a')?.toString()).toBe('2');
  });
});
