import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { createIdentity } from '../membership/identity.ts';
import { call, eventually, exchange, saying } from './calls.testing.ts';
import { selfSigned } from './certificate.ts';
import { oddCertificate } from './odd-certificate.testing.ts';
import { idle, type Nodes } from './serving.testing.ts';
import { functionPlan, type TestNode } from './test-node.testing.ts';

/** The longest body that `bounded` takes. */
export const strictBodyBytes = 300_000;

type Metric = { readonly values: readonly { readonly labels: object; readonly value: number }[] };

/** What callers hear whose call does not run. */
export const refusalsConformance = (nodes: Nodes, bounded: () => TestNode): void => {
  let made = 0;

  /** What a stranger gets from the peer listener until it is cut off. */
  const speak = async (options: ConnectionOptions, text: string): Promise<string> => {
    const { port } = nodes().b.plane.address().peer;
    const socket: TLSSocket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    let got = '';
    socket.setEncoding('latin1');
    socket.on('data', (part: string) => (got += part));
    socket.on('error', () => undefined);
    socket.write(text);
    await once(socket, 'close');
    return got;
  };

  /** Who is cut off only after seconds begins with the suite, so that nobody waits. */
  let lingering: Readonly<Record<'silent' | 'half' | 'handshake', Promise<string>>>;
  beforeAll(() => {
    const { port } = nodes().b.plane.address().peer;
    lingering = {
      silent: speak({}, ''),
      half: speak({}, 'GET / HTTP/1.1\r\n'),
      // As far as the length of what a client says first.
      handshake: exchange(port, '\x16\x03\x01\x02\x00', undefined, 120_000),
    };
    // Whoever asks for it hears of what goes wrong.
    for (const one of Object.values(lingering)) one.catch(() => undefined);
  });

  describe('a name that nobody knows', () => {
    it.each([
      ['helo', 'Did you mean hello?'],
      ['Hello', 'Did you mean hello?'],
      ['burn-x', 'Did you mean burn-a or burn-ab?'],
      ['hello.dev', 'is deployed. See'],
      ['quite-another', 'is deployed. See'],
      ['x'.repeat(500), 'is deployed. See'],
    ])('such as %s is answered 404 with the one that was meant', async (name, sentence) => {
      const { a } = nodes();
      const replica = await a.replica(`near-${made++}`, saying('hi'));
      const known = ['hello', 'figlet', 'burn-ab', 'burn-a'].map((known) => [known, functionPlan([replica])] as const);
      await a.apply(4, Object.fromEntries(known));
      const answer = await call(`${a.url}/function/${name}`);
      expect(answer).toMatchObject({ status: 404, reason: 'unknown-function' });
      expect(answer.body).toContain(sentence);
      expect(answer.body).toMatch(/ skein list\n$/);
      expect(answer.headers['x-call-id']).toMatch(/./);
    });
  });

  describe('what the agent would answer', () => {
    it.each(['is not there', 'breaks off'])('is refused for a reason where it %s', async (how) => {
      const { c } = nodes();
      await c.apply(4, {});
      if (how === 'breaks off') {
        await c.listen(join(c.facts.folder, 'system.sock'), (_request, response) => response.destroy());
      }
      const ask = (path: string, headers = {}) => call(`${c.url}${path}`, { body: 'x', headers });
      const later = await ask('/async-function/greet.team/now?x=1', { 'x-call-id': 'mine' });
      expect(later).toMatchObject({ status: 503, reason: 'queue-failed', node: 'c' });
      expect(later.headers).toMatchObject({ 'x-call-id': 'mine', 'retry-after': '1', 'x-openfaas-internal': 'skein' });
      expect(later.headers['x-start-time']).toMatch(/^\d{19}$/);
      expect(later.body).toMatch(/^The call to greet\.team cannot be kept for later now\. The agent of this node /);
      const unnamed = await ask('/async-function/greet');
      expect(unnamed.headers['x-call-id']).toMatch(/^[-0-9a-f]{36}$/);
      expect(unnamed.body).toContain('greet.openfaas-fn cannot');
      for (const path of ['/system/functions', '/async-function/gr%20eet']) {
        const managed = await ask(path);
        expect(managed).toMatchObject({ status: 503, reason: undefined });
        expect(managed.headers['retry-after']).toBe('1');
        expect(managed.body).toMatch(/^The agent [^]* nothing can be managed here now\. [^]*\.\n$/);
      }
    });
  });

  describe('a body that is too long', () => {
    type Read = { readonly node: TestNode; readonly name: string; readonly read: { bytes: number; broken: boolean } };
    const reading = async (): Promise<Read> => {
      const node = bounded();
      const name = `read-${made++}`;
      const read = { bytes: 0, broken: false };
      const replica = await node.replica(name, (request, response) => {
        request.on('data', (chunk: Buffer) => (read.bytes += chunk.length));
        request.once('close', () => (read.broken = !request.complete));
        request.once('end', () => response.end('read'));
      });
      await node.apply(4, { [name]: functionPlan([replica]) });
      return { node, name, read };
    };
    const rejected = async ({ node, name }: Read): Promise<unknown> => (await node.observed(name)).rejected;

    it.each([strictBodyBytes + 1, 5_000_000])(
      'at %i bytes gets 413, counted, and its connection ends',
      async (length) => {
        const reader = await reading();
        const { node, name, read } = reader;
        const head = `POST /function/${name} HTTP/1.1\r\nhost: x\r\nx-call-id: my-own\r\ncontent-length: ${length}\r\n\r\n`;
        const text = await exchange(node.port, head + 'x'.repeat(length));
        expect(text).toMatch(/^HTTP\/1\.1 413 /);
        expect(text).toMatch(/X-Call-Id: my-own\r\n/i);
        expect(text).toMatch(/X-Skein-Reason: too-large\r\n/i);
        expect(text).toMatch(/Connection: close\r\n/i);
        expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
        expect(read.bytes).toBe(0);
        expect(await rejected(reader)).toEqual({ 'too-large': 1 });
        const labels = { function_name: `${name}.openfaas-fn`, reason: 'too-large' };
        expect((await node.plane.metrics()) as Metric[]).toContainEqual(
          expect.objectContaining({ values: expect.arrayContaining([expect.objectContaining({ labels, value: 1 })]) }),
        );
        await idle(node);
      },
    );

    it('is cut off where it has no length, and the function hears of it', async () => {
      const reader = await reading();
      const { node, name, read } = reader;
      const sent = httpRequest(`${node.url}/function/${name}`, { method: 'POST', agent: false });
      const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
      sent.on('error', () => undefined);
      sent.write(Buffer.alloc(50_000));
      await eventually(() => read.bytes > 0, 'the function begins to read');
      for (let part = 0; part < 80; part += 1) sent.write(Buffer.alloc(10_000));
      const [answer] = await answered;
      answer.resume();
      expect([answer.statusCode, answer.headers['x-skein-reason']]).toEqual([413, 'too-large']);
      await once(answer, 'close');
      sent.destroy();
      await eventually(() => read.broken, 'the function hears of it');
      expect(await rejected(reader)).toEqual({ 'too-large': 1 });
      await idle(node);
    });

    it('is refused before it is sent where the client asks for leave', async () => {
      const { node, name } = await reading();
      const head = `POST /function/${name} HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\nexpect: 100-continue\r\n\r\n`;
      expect(await exchange(node.port, head)).toMatch(/^HTTP\/1\.1 413 /);
    });

    it('at exactly the bound is taken', async () => {
      const { node, name } = await reading();
      expect((await call(`${node.url}/function/${name}`, { body: Buffer.alloc(strictBodyBytes) })).body).toBe('read');
    });
  });

  describe('a stranger on the peer listener', () => {
    const get = 'GET /function/any HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\r\n';

    it.each(['without a certificate', 'with a key that no plan names'])('%s gets 403 and is cut off', async (kind) => {
      const options = kind.startsWith('with ') ? await selfSigned(createIdentity().privateKey, Date.now()) : {};
      const text = await speak(options, get + get);
      expect(text).toMatch(/^HTTP\/1\.1 403 [^]*not-a-peer/);
      expect(text).toMatch(/Connection: close\r\n/i);
      expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    });

    it('with a key on a curve without a common name is no harm to those that are known', async () => {
      const { a, b } = nodes();
      const name = `odd-${made++}`;
      await b.apply(4, { [name]: functionPlan([await b.replica(name, saying('well'))]) }, [a.asPeer(4)]);
      await a.apply(1, { [name]: functionPlan([], { peers: [{ id: b.id, weight: 1 }] }) }, [b.asPeer(4)]);
      await speak(oddCertificate(), get).catch(() => undefined);
      expect(await call(`${a.url}/function/${name}`)).toMatchObject({ status: 200, body: 'well' });
    });

    it('who says nothing is cut off', async () => {
      expect(await lingering.silent).toBe('');
    });

    it('who does not finish the handshake is cut off', async () => {
      expect(await lingering.handshake).not.toMatch(/HTTP/);
    });

    it('who sends half a head is cut off', async () => {
      expect(await lingering.half).toMatch(/^($|HTTP\/1\.1 4)/);
    });
  });
};
