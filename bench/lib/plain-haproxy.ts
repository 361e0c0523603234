import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AdminSocket } from '../../src/dataplanes/haproxy/admin-socket.ts';
import { HaproxyProcess } from '../../src/dataplanes/haproxy/haproxy-process.ts';
import { systemClock } from '../../src/std/clock.ts';
import { cpuMsOf, treeOf } from './processes.ts';

/** As a `server` line has it: `127.0.0.1:80`, `unix@/path`. */
export type PlainServer = { readonly address: string; readonly weight: number };

/**
 * What a gateway for functions says and tidies, in HAProxy's usual rules: who called and when, a call's id, the node, how long it
 * took. No more: nothing is counted, bounded or chosen, and no other header is looked at.
 */
const gatewayRules = [
  'option forwardfor',
  'http-request set-var(txn.started) date(0,us)',
  'http-request set-var(txn.call) uuid()',
  'http-request replace-path ^/function/[^/]+/?(.*)$ /\\1',
  'http-request set-header X-Forwarded-Host %[req.hdr(host)]',
  'http-request set-header X-Forwarded-Proto http',
  'http-request set-header X-Start-Time %[var(txn.started)]000',
  'http-request set-header X-Call-Id %[var(txn.call)]',
  'http-request set-header X-Skein-Node alone',
  'http-response set-var(txn.took) date(0,us),sub(txn.started)',
  'http-response set-header X-Duration-Seconds %[var(txn.took),div(1000000)].%[var(txn.took),mod(1000000),add(1000000),concat(),bytes(1,6)]',
  'http-response set-header X-Call-Id %[var(txn.call)]',
  'http-response set-header X-Start-Time %[var(txn.started)]000',
  'http-response set-header X-Skein-Node alone',
];

/**
 * HAProxy without Skein, as an operator would put it in front of a few servers: one frontend, one backend, connections
 * kept on both sides. What changes is rendered into its configuration anew, as the published systems do it.
 */
export class PlainHaproxy {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #process: HaproxyProcess;
  readonly #rules: readonly string[];
  #admin: AdminSocket | undefined;

  private constructor(folder: string, port: number, rules: readonly string[]) {
    this.#rules = rules;
    this.#folder = folder;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}/`;
    this.#process = new HaproxyProcess({
      binary: 'haproxy',
      pidFile: join(folder, 'pid'),
      logFile: join(folder, 'log'),
      adminSocket: join(folder, 'admin.sock'),
      clock: systemClock,
    });
  }

  /** `asGateway`: with the headers that a node adds to a call and its answer. */
  static async start(
    servers: readonly PlainServer[],
    { asGateway = false }: { readonly asGateway?: boolean } = {},
  ): Promise<PlainHaproxy> {
    const folder = await mkdtemp(join(tmpdir(), 'skein-haproxy-'));
    const proxy = new PlainHaproxy(folder, await freePort(), asGateway ? gatewayRules : []);
    await proxy.#render(servers);
    proxy.#admin = await proxy.#process.start(proxy.#file);
    return proxy;
  }

  /** The seamless way: a new worker takes over the listeners, and the old one finishes what it has. */
  async reload(servers: readonly PlainServer[]): Promise<void> {
    await this.#render(servers);
    const next = await this.#process.reload(this.admin);
    this.admin.close();
    this.#admin = next;
  }

  async restart(servers: readonly PlainServer[]): Promise<void> {
    await this.#render(servers);
    this.admin.close();
    await this.#process.end();
    this.#admin = await this.#process.start(this.#file);
  }

  get admin(): AdminSocket {
    if (this.#admin === undefined) throw new Error('this HAProxy does not run');
    return this.#admin;
  }

  cpuMs(): number {
    return cpuMsOf(treeOf(this.#process.running()?.pid ?? 0));
  }

  /** Requests that the worker which answers has counted, and which one that is. */
  async counted(): Promise<{ readonly calls: number; readonly worker: string }> {
    const [stat = '', info = ''] = await this.admin.askAll(['show stat', 'show info']);
    const [head = '', ...rows] = stat.split('\n');
    const column = head.split(',').indexOf('req_tot');
    const calls = Number(rows.find((row) => row.startsWith('in,FRONTEND,'))?.split(',')[column]);
    return { calls, worker: /^Pid: (\d+)$/m.exec(info)?.[1] ?? '' };
  }

  async stop(): Promise<void> {
    this.#admin?.close();
    await this.#process.end();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #file(): string {
    return join(this.#folder, 'haproxy.cfg');
  }

  async #render(servers: readonly PlainServer[]): Promise<void> {
    const lines = [
      'global',
      '  nbthread 1',
      `  stats socket ${join(this.#folder, 'admin.sock')} mode 600 level admin expose-fd listeners`,
      '  stats timeout 1d',
      'defaults',
      '  mode http',
      '  http-reuse always',
      '  timeout connect 5s',
      '  timeout client 75s',
      '  timeout server 75s',
      'frontend in',
      `  bind 127.0.0.1:${this.#port}`,
      ...this.#rules.map((rule) => `  ${rule}`),
      '  default_backend servers',
      'backend servers',
      ...servers.map(({ address, weight }, index) => `  server s${index} ${address} weight ${weight}`),
    ];
    await writeFile(this.#file, `${lines.join('\n')}\n`);
    await this.#process.check(this.#file);
  }
}

/** Its servers and their weights, those of Skein's HAProxy too. */
export const serversOf = async (
  admin: AdminSocket,
): Promise<readonly { readonly backend: string; readonly name: string; readonly weight: number }[]> =>
  (await admin.ask('show servers state'))
    .split('\n')
    .filter((line) => /^\d+ /.test(line))
    .map((line) => line.split(' '))
    .map(([, backend = '', , name = '', , , , weight]) => ({ backend, name, weight: Number(weight) }));

/** HAProxy cannot be told to take any port. */
const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
