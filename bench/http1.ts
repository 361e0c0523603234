import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool, type Dispatcher } from 'undici';
import { keep } from '../src/dataplanes/call.ts';
import { forwardable, returnable } from '../src/dataplanes/headers.ts';
import { Http1Client } from '../src/dataplanes/http1/client.ts';
import type { ClientEvents } from '../src/dataplanes/http1/client-exchange.ts';
import { dialTo } from '../src/dataplanes/http1/dial.ts';
import { Http1Server } from '../src/dataplanes/http1/server.ts';
import type { Outgoing } from '../src/dataplanes/exchange.ts';
import { systemClock } from '../src/std/clock.ts';
import { forkServer, type ForkedServer } from './lib/forked-server.ts';
import { numbers, positive, readOptions } from './lib/options.ts';
import { machineNow, publish } from './lib/report.ts';
import { inTurn, ratioIn, showSpread, spreadIn, sum } from './lib/statistics.ts';
import { runWrk, type Measured } from './lib/wrk.ts';

const about = `One hop of HTTP/1.1 and nothing else: 11 bytes POSTed by wrk through a process that passes them on to an echo
server of node:http on a unix socket, with keep-alive on both sides. "own" is src/dataplanes/http1; "node" is
node:http in front and undici behind; "direct" asks the echo server without a hop. The three take turns.`;

const body = 'Hello Skein';
const longMs = 24 * 3_600_000;

// ---- the processes that are measured, each this file again

const echo: RequestListener = (request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (chunk: Buffer) => parts.push(chunk));
  request.on('end', () => {
    const whole = Buffer.concat(parts);
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': whole.length }).end(whole);
  });
};

/** Passes an answer on as it comes. */
const into = (response: Outgoing): ClientEvents => ({
  head: (status, headers) => void response.writeHead(status, returnable(headers, false)),
  data: (chunk, resume) => {
    if (response.write(chunk)) return true;
    response.once('drain', resume);
    return false;
  },
  end: () => void response.end(),
  fail: () => void response.destroy(),
});

/** undici hands the header of a raw answer over as bytes. */
const texts = (raw: Dispatcher.DispatchController['rawHeaders']): string[] =>
  Array.isArray(raw) ? raw.map((part: string | Buffer) => part.toString('latin1' as 'utf8')) : [];

const roles = {
  echo: async (path: string) => {
    const options = { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 120_000, noDelay: true };
    await new Promise<void>((resolve) => void createHttpServer(options, echo).listen(path, resolve));
    return createHttpServer(options, echo);
  },
  node: (path: string) => {
    const pool = new Pool('http://replica', { socketPath: path, headersTimeout: 0, bodyTimeout: 0 });
    return createHttpServer({ noDelay: true, keepAliveTimeout: 75_000 }, (request, response) => {
      const events = into(response);
      const handler: Dispatcher.DispatchHandler = {
        onRequestStart: () => undefined,
        onResponseStart: ({ rawHeaders }, status) => events.head(status, texts(rawHeaders)),
        onResponseData: (controller, chunk) => {
          if (!events.data(chunk, () => controller.resume())) controller.pause();
        },
        onResponseEnd: () => events.end(),
        onResponseError: (_controller, error) => events.fail(error, true),
      };
      keep(request, (bytes) => {
        const { method = 'GET', url = '/', rawHeaders } = request;
        pool.dispatch({ method, path: url, headers: forwardable(rawHeaders), body: bytes ?? null }, handler);
      });
    });
  },
  own: (path: string) => {
    const common = { maxHeadBytes: 16_384, maxHeaders: 200, maxConnections: 10_000, idleTimeoutMs: 75_000 };
    const client = new Http1Client(
      dialTo({ kind: 'unix', path }),
      { ...common, maxWaiting: 10_000, connectTimeoutMs: 5_000 },
      systemClock,
    );
    const sockets = createServer();
    const limits = { ...common, headTimeoutMs: 60_000, lingerMs: 5_000, leastIntake: { bytes: 1, withinMs: longMs } };
    void new Http1Server(sockets, limits, systemClock, (request, response) => {
      const { method, url: target, rawHeaders } = request;
      keep(request, (bytes = Buffer.alloc(0)) => {
        const headers = forwardable(rawHeaders);
        client.request({ method, target, headers, body: { kind: 'bytes', bytes } }, into(response));
      });
    });
    return sockets;
  },
} as const;

type Role = keyof typeof roles;

const play = async (role: Role, path: string): Promise<void> => {
  const server = await roles[role](path);
  server.listen(0, '127.0.0.1', 2_048, () => process.send?.((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit(0));
};

// ---- the measurement

type Run = Measured & { readonly cpuUs: number };

const measure = async (way: ForkedServer, connections: number, seconds: number): Promise<Run> => {
  const before = way.cpuMs();
  const measured = await runWrk(urlOf(way), connections, seconds, body);
  return { ...measured, cpuUs: ((way.cpuMs() - before) * 1000) / measured.requests };
};

const urlOf = ({ port }: ForkedServer): string => `http://127.0.0.1:${port}/`;

const main = async (): Promise<void> => {
  const options = readOptions('http1', about, {
    connections: { help: 'connections, divided by commas', fallback: '1,10,50' },
    seconds: { help: 'length of each run', fallback: '2' },
    rounds: { help: 'runs of each kind', fallback: '3' },
  });
  const machine = machineNow();
  const seconds = positive(options.seconds);
  const rounds = positive(options.rounds);
  const folder = await mkdtemp(join(tmpdir(), 'skein-http1-'));
  const path = join(folder, 'echo');
  const ways: ForkedServer[] = [];
  try {
    for (const role of ['echo', 'node', 'own'] as const)
      ways.push(await forkServer(import.meta.filename, [role, path]));
    for (const way of ways) await runWrk(urlOf(way), 32, 1, body);
    const cases: { readonly connections: number; readonly runs: readonly (readonly Run[])[] }[] = [];
    for (const connections of numbers(options.connections)) {
      const runs = await inTurn(ways, rounds, (way) => measure(way, connections, seconds));
      cases.push({ connections, runs });
    }
    const rows = cases.map(({ connections, runs: [direct = [], node = [], own = []] }) => {
      const rate = ({ perSecond }: Run): number => perSecond;
      const cpu = ({ cpuUs }: Run): number => cpuUs;
      return [
        String(connections),
        showSpread(spreadIn(node, cpu), 0),
        showSpread(spreadIn(own, cpu), 0),
        showSpread(ratioIn(own, node, cpu), 2),
        showSpread(ratioIn(node, direct, rate), 2),
        showSpread(ratioIn(own, direct, rate), 2),
        spreadIn(node, ({ p99 }) => p99).median.toFixed(2),
        spreadIn(own, ({ p99 }) => p99).median.toFixed(2),
        String(sum([direct, node, own].flat().map(({ failed }) => failed))),
      ];
    });
    const header = ['c', 'CPU µs, node', 'CPU µs, own', 'own / node', 'rate of direct, node', 'rate of direct, own'];
    const tables = [
      { title: 'One hop, a request', header: [...header, 'p99 ms, node', 'p99 ms, own', 'failed'], rows },
    ];
    const settings = `${rounds} rounds of ${seconds} s each, in turn; median (least–most)`;
    publish({ name: 'http1', settings, tables, data: cases }, machine, options);
  } finally {
    for (const way of ways) way.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

const [role, path] = process.argv.slice(2);
if (process.send !== undefined && role !== undefined && role in roles) await play(role as Role, path ?? '');
else await main();
