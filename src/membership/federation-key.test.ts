import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFederationKey, loadOrCreateFederationKey, renderFederationKey } from './federation-key.ts';

let folder = '';
let file = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-federation-'));
  file = join(folder, 'federation.key');
});

afterEach(() => rm(folder, { recursive: true }));

describe('a federation key file', () => {
  it('is made once, for its owner alone, and read again', async () => {
    const key = await loadOrCreateFederationKey(file);
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(await loadOrCreateFederationKey(file)).toBe(key);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('may be written elsewhere, with or without a last newline', async () => {
    const key = createFederationKey();
    await writeFile(
      file,
      renderFederationKey(key)
        .trimEnd()
        .toUpperCase()
        .replace('/KEY/SWARM/PSK', '/key/swarm/psk')
        .replace('BASE', 'base'),
      { mode: 0o600 },
    );
    expect(await loadOrCreateFederationKey(file)).toBe(key);
  });

  it('is refused when others may read it', async () => {
    await loadOrCreateFederationKey(file);
    await chmod(file, 0o640);
    await expect(loadOrCreateFederationKey(file)).rejects.toMatchObject({ code: 'invalid' });
  });

  it.each(['', 'secret', `${renderFederationKey(createFederationKey())}00`, renderFederationKey('ab')])(
    'is refused when it holds anything else (%#)',
    async (text) => {
      await writeFile(file, text, { mode: 0o600 });
      await expect(loadOrCreateFederationKey(file)).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining('copy the file'),
      });
    },
  );
});
