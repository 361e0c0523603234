import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../config/schema.ts';
import { natsConfig } from './nats-config.ts';

let folder: string;
const file = (name: string, text: string, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'skein-nats-config-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

const queue = (changes: Partial<Config['queue']>): Config['queue'] => ({
  ms: 1,
  kind: 'nats',
  servers: ['127.0.0.1:4222'],
  tls: 'auto',
  ...changes,
});

describe('the settings for NATS', () => {
  it('are servers alone, and TLS as the server likes, where no more is said', async () => {
    expect(await natsConfig(queue({}))).toEqual({ servers: ['127.0.0.1:4222'] });
    expect(await natsConfig(queue({ tls: 'require' }))).toEqual({ servers: ['127.0.0.1:4222'], tls: {} });
  });

  it('hold the texts of the files that they name', async () => {
    const [caFile, certFile] = [file('ca', 'CA', 0o644), file('cert', 'CERT', 0o644)];
    const keyFile = file('key', 'KEY');
    const secured = { servers: ['127.0.0.1:4222'], tls: { ca: 'CA', cert: 'CERT', key: 'KEY' } };
    const password = await natsConfig(
      queue({ caFile, certFile, keyFile, user: 'u', passwordFile: file('password', 'p w\n') }),
    );
    expect(password).toEqual({ ...secured, user: 'u', password: 'p w' });
    expect(await natsConfig(queue({ tokenFile: file('token', ' t \n') }))).toMatchObject({ token: 't' });
    expect(await natsConfig(queue({ credentialsFile: file('creds', 'C\n') }))).toMatchObject({ credentials: 'C\n' });
  });

  it.each([
    ['a user without a password', () => ({ user: 'u' }), /belong together/],
    ['a key without a certificate', () => ({ keyFile: file('lone', 'k') }), /belong together/],
    ['two secrets', () => ({ tokenFile: file('a', 's3cret'), credentialsFile: file('b', 's3cret') }), /keep one/],
    ['a secret that others may read', () => ({ tokenFile: file('open', 's3cret', 0o644) }), /others may read/],
    ['a file that is not there', () => ({ caFile: join(folder, 'none') }), /queue\.caFile cannot be read/],
  ])('refuse %s', async (_what, changes, sentence) => {
    const error = await natsConfig(queue(changes())).catch((why: unknown) => why);
    expect(error).toMatchObject({ code: 'invalid', message: expect.stringMatching(sentence) as string });
    expect(String(error)).not.toContain('s3cret');
  });
});
