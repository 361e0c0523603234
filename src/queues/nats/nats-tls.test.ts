import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../std/clock.ts';
import { item } from '../queue.conformance.ts';
import type { Queue } from '../queue.ts';
import { Authority, type PemFiles } from './authority.testing.ts';
import { openNatsQueue, type NatsQueueConfig } from './nats-queue.ts';
import { natsMissing, NatsServer } from './nats-server.testing.ts';

describe.skipIf(natsMissing)('the queue in a NATS server that asks who we are', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-nats-tls-'));
  let [known, other]: [Authority, Authority] = [undefined as never, undefined as never];
  let [server, mine]: [PemFiles, PemFiles] = [undefined as never, undefined as never];
  const servers: NatsServer[] = [];

  beforeAll(async () => {
    [known, other] = [await Authority.create(folder, 'known'), await Authority.create(folder, 'other')];
    [server, mine] = [await known.issue('server'), await known.issue('mine')];
  });

  afterAll(async () => {
    for (const one of servers) await one.remove();
    rmSync(folder, { recursive: true });
  });

  const start = async (settings: string): Promise<string> => {
    const one = new NatsServer(settings);
    servers.push(one);
    await one.start();
    return one.address;
  };

  const tls = (more = ''): string => `tls { cert_file: "${server.certFile}", key_file: "${server.keyFile}"${more} }`;
  const text = (file: string): string => readFileSync(file, 'utf8');
  const open = (config: NatsQueueConfig): Promise<Queue> =>
    openNatsQueue(config, { clock: systemClock }, { bytes: 50_000_000 });

  const works = async (config: NatsQueueConfig): Promise<void> => {
    const queue = await open(config);
    await queue.add(item('a.fn', 'one'));
    const taken = await queue.take('a.fn');
    expect(taken?.item.callId).toBe('one');
    await taken?.done();
    await queue.close();
  };

  const refused = async (config: NatsQueueConfig, secret?: string): Promise<void> => {
    const error = await open(config).then(
      (queue) => queue.close().then(() => undefined),
      (why: Error) => why,
    );
    expect(error).toMatchObject({ code: 'unavailable' });
    if (secret !== undefined) expect(String(error?.stack)).not.toContain(secret);
  };

  it('works over TLS with a certificate on both sides', async () => {
    const address = await start(tls(`, ca_file: "${known.caFile}", verify: true`));
    const ca = text(known.caFile);
    const own = { cert: text(mine.certFile), key: text(mine.keyFile) };
    await works({ servers: [address], tls: { ca, ...own } });
    await refused({ servers: [address], tls: { ca } });
    await refused({ servers: [address], tls: { ca: text(other.caFile), ...own } });
    await refused({ servers: [address] });
  });

  it('refuses a certificate that is for another server', async () => {
    const elsewhere = await known.issue('elsewhere', '127.0.0.2');
    const address = await start(`tls { cert_file: "${elsewhere.certFile}", key_file: "${elsewhere.keyFile}" }`);
    const ca = text(known.caFile);
    await refused({ servers: [address], tls: { ca } });
    await works({ servers: [address, '127.0.0.2:9'], tls: { ca } });
  });

  it('says nothing to a server without TLS where TLS is required', async () => {
    const address = await start('');
    await works({ servers: [address] });
    await refused({ servers: [address], tls: {} });
  });

  it('shows user and password, over TLS', async () => {
    const address = await start(`${tls()}\nauthorization { user: skein, password: "s3cret" }`);
    const known_ = { servers: [address], tls: { ca: text(known.caFile) } };
    await works({ ...known_, user: 'skein', password: 's3cret' });
    await refused({ ...known_, user: 'skein', password: 'wr0ng' }, 'wr0ng');
    await refused(known_);
  });

  it('shows a token', async () => {
    const address = await start('authorization { token: "t0ken" }');
    await works({ servers: [address], token: 't0ken' });
    await refused({ servers: [address], token: 'wr0ng' }, 'wr0ng');
  });
});
