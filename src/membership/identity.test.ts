import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createIdentity, loadOrCreateIdentity, nodeIdOfPublicKey, publicKeyOfNodeId } from './identity.ts';

let folder = '';
let file = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-identity-'));
  file = join(folder, 'identity.pem');
});

afterEach(() => rm(folder, { recursive: true }));

const put = (text: string, mode = 0o600): Promise<void> => writeFile(file, text, { mode });

describe('an identity file', () => {
  it('is made once, for its owner alone, and survives restarts', async () => {
    const first = await loadOrCreateIdentity(file);
    const second = await loadOrCreateIdentity(file);
    expect(second.id).toBe(first.id);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['identity.pem']);
  });

  it('is one identity, even when several start at once', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateIdentity(file)));
    expect(new Set(all.map((identity) => identity.id)).size).toBe(1);
    expect(await readdir(folder)).toEqual(['identity.pem']);
  });

  it('may be written by openssl', async () => {
    await put(
      '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n',
    );
    const { publicKeyHex } = await loadOrCreateIdentity(file);
    expect(publicKeyHex).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  });

  it('is refused when others may read it, and the sentence says what to do', async () => {
    await loadOrCreateIdentity(file);
    await chmod(file, 0o644);
    await expect(loadOrCreateIdentity(file)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(`chmod 600 ${file}`),
    });
  });

  it('is refused when it holds a key of another type', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    await put(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    await expect(loadOrCreateIdentity(file)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('type ec'),
    });
  });

  it.each([
    ['garbage', 'not a key'],
    ['nothing', ''],
  ])('is refused, and kept, when it holds %s', async (_, text) => {
    await put(text);
    await expect(loadOrCreateIdentity(file)).rejects.toMatchObject({ code: 'invalid' });
    expect((await stat(file)).size).toBe(text.length);
  });

  it('is refused when its folder is missing or it is a folder', async () => {
    await expect(loadOrCreateIdentity(join(folder, 'no', 'identity.pem'))).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('create its folder'),
    });
    await expect(loadOrCreateIdentity(folder)).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('a node id', () => {
  const keys = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));

  it('and its public key follow from each other', () => {
    fc.assert(fc.property(keys, (key) => publicKeyOfNodeId(nodeIdOfPublicKey(key)) === key));
  });

  it('looks like a libp2p peer id', () => {
    expect(createIdentity().id).toMatch(/^12D3Koo[1-9A-HJ-NP-Za-km-z]{45}$/);
  });

  it('is not found in other text, and no text throws', () => {
    const id = createIdentity().id;
    for (const text of [
      '',
      '1',
      id.slice(1),
      `${id}1`,
      `1${id}`,
      id.replace('K', '0'),
      'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKuTwB',
    ]) {
      expect(publicKeyOfNodeId(text)).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (text) => publicKeyOfNodeId(text) === undefined));
  });

  it('is made of 32 bytes of key only', () => {
    expect(() => nodeIdOfPublicKey('abc')).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});
