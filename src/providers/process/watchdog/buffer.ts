import type { Socket } from 'node:net';
import { receiveBody } from './body.ts';
import { begin, checkEnding, type Ending, type Exchange } from './exchange.ts';
import { sniff } from './sniff.ts';

/** A process that ended may have left children that hold its output open: they get this long. */
const stragglersMs = 250;
const keptErrorBytes = 64 * 1024;

/** The whole body in, the whole output kept, then the answer. */
export const buffer = async (exchange: Exchange): Promise<void> => {
  const { settings, request, ending } = exchange;
  const stdin = await receiveBody(request, {
    scratch: exchange.scratch,
    maxBytes: settings.maxBodyBytes,
    timeoutMs: settings.readTimeoutMs,
    marshal: settings.marshalRequest,
    signal: ending.signal,
  });
  const run = await begin(exchange, stdin, settings.combineOutput);
  const errors = run.stderr && keep(run.stderr, keptErrorBytes, () => {});
  const output = keep(run.stdout, settings.maxOutputBytes, () => ending.abort('too-much' satisfies Ending));
  const failure = await run.failure;
  await Promise.all([drained(run.stdout), run.stderr && drained(run.stderr)]);
  run.over();
  const out = Buffer.concat(output);
  if (errors !== undefined && errors.length > 0) console.error(`stderr: ${Buffer.concat(errors).toString().trimEnd()}`);
  if (settings.writeDebug) console.log(out.toString());
  checkEnding(exchange);
  if (failure !== undefined) {
    if (settings.writeDebug) console.error(`Success=false, Error=${failure}`);
    send(exchange, 500, Buffer.concat([Buffer.from(`${failure}\n`), out]), 'text/plain; charset=utf-8');
    return;
  }
  const seconds = ((performance.now() - exchange.startedAt) / 1000).toFixed(6);
  const type = settings.contentType ?? request.headers['content-type'] ?? sniff(out);
  send(exchange, 200, out, type, { 'X-Duration-Seconds': seconds });
  console.error(`${settings.writeDebug ? '' : `Wrote ${out.length} Bytes - `}Duration: ${seconds}s`);
};

const send = (
  { response }: Exchange,
  status: number,
  body: Buffer,
  type: string,
  headers: Readonly<Record<string, string>> = {},
): void => {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', body.length);
  response.writeHead(status).end(body);
};

/** Keeps what is read, up to a bound that `over` is told of. */
const keep = (source: Socket, maxBytes: number, over: () => void): readonly Buffer[] => {
  const chunks: Buffer[] = [];
  let left = maxBytes;
  source.on('data', (chunk: Buffer) => {
    if (chunk.length > left) over();
    if (left > 0) chunks.push(chunk.subarray(0, left));
    left = Math.max(0, left - chunk.length);
  });
  return chunks;
};

/** Resolves when all output of a process that ended was read. */
const drained = async (source: Socket): Promise<void> => {
  if (source.closed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  source.once('close', resolve);
  const timer = setTimeout(() => source.destroy(), stragglersMs);
  await promise;
  clearTimeout(timer);
};
