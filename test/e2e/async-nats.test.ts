import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Authority } from '../../src/queues/nats/authority.testing.ts';
import { natsMissing, NatsServer } from '../../src/queues/nats/nats-server.testing.ts';
import { Bundles } from './bundles.fixture.ts';
import { Federation } from './federation.fixture.ts';
import { until } from './until.ts';

const password = 's3cret-of-the-queue';

type Callback = { readonly headers: IncomingHttpHeaders; readonly body: string };

describe.skipIf(natsMissing)('asynchronous calls through a NATS server, over TLS and with a password', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skein-e2e-nats-'));
  const callbacks: Callback[] = [];
  let nats: NatsServer;
  let receiver: Server;
  let bundles: Bundles;
  let federation: Federation;

  beforeAll(async () => {
    const authority = await Authority.create(folder, 'authority');
    const { certFile, keyFile } = await authority.issue('server');
    nats = new NatsServer(
      `tls { cert_file: "${certFile}", key_file: "${keyFile}" }\nauthorization { user: skein, password: "${password}" }`,
    );
    await nats.start();
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    receiver = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        callbacks.push({ headers: request.headers, body });
        response.end();
      });
    });
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    bundles = await Bundles.build('mirror');
    const queue = ['--queue-kind', 'nats', '--queue-servers', nats.address, '--queue-ca-file', authority.caFile];
    federation = await Federation.start({
      slots: [4, 4],
      flags: [...queue, '--queue-user', 'skein', '--queue-password-file', passwordFile],
    });
    await federation.deploy(bundles, 'mirror');
  });

  afterAll(async () => {
    await bundles?.remove();
    await federation?.end();
    await nats?.remove();
    receiver?.closeAllConnections();
    receiver?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const call = async (url: string, id: string): Promise<Response> => {
    const { port } = receiver.address() as AddressInfo;
    const headers = { 'x-call-id': id, 'x-callback-url': `http://127.0.0.1:${port}/done` };
    return fetch(`${url}/async-function/mirror/deep?q=1`, { method: 'POST', headers, body: `body of ${id}` });
  };

  const callbacksOf = (id: string): readonly Callback[] =>
    callbacks.filter(({ headers }) => headers['x-call-id'] === id);

  test('are made whichever node took them, and tell their answers', async () => {
    const ids = federation.nodes.flatMap(({ name }) => [1, 2, 3].map((count) => `${name}-${count}`));
    for (const node of federation.nodes) {
      for (const id of ids.filter((one) => one.startsWith(node.name))) {
        const answer = await call(node.url, id);
        expect([answer.status, answer.headers.get('x-call-id')]).toEqual([202, id]);
      }
    }
    for (const id of ids) {
      const [told] = await until(`the answer to ${id}`, () => callbacksOf(id).length > 0 && callbacksOf(id));
      expect(told!.headers).toMatchObject({ 'x-function-status': '200', 'x-function-name': 'mirror' });
      expect(JSON.parse(told!.body)).toMatchObject({ bytes: `body of ${id}`.length });
    }
  });

  test('that a node accepted are made by the other when it dies', async () => {
    const [one, two] = federation.nodes;
    const ids = Array.from({ length: 20 }, (_, count) => `survivor-${count}`);
    const answers = await Promise.all(ids.map((id) => call(one!.url, id)));
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 202));
    one!.kill();
    // What it had taken is free again when its lease has run out.
    for (const id of ids) await until(`the answer to ${id}`, () => callbacksOf(id).length > 0, 90_000);
    expect((await call(two!.url, 'later')).status).toBe(202);
    await until('the answer', () => callbacksOf('later').length > 0);
  });

  test('leave no trace of the password in logs or arguments', () => {
    const written = federation.nodes.map((node) => node.log()).join('\n');
    expect(written).not.toContain(password);
  });
});
