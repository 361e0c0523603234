import type { Socket } from 'node:net';
import { LogLines } from '../worker/log-lines.ts';
import { begin, checkEnding, type Exchange } from './exchange.ts';
import { Fault } from './fault.ts';
import type { WatchdogSettings } from './settings.ts';

/** Body and output flow at the same time; a process that fails before it said anything is told with a 500. */
export const stream = async (exchange: Exchange): Promise<void> => {
  const { settings, request, response } = exchange;
  const run = await begin(exchange, 'pipe', false);
  // Many programs end without reading all they are sent.
  run.stdin?.on('error', () => request.unpipe().resume());
  if (run.stdin) request.pipe(run.stdin);
  if (run.stderr) logErrors(run.stderr, settings);
  const head = (): void => {
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': settings.contentType });
  };
  run.stdout.on('data', (chunk: Buffer) => {
    head();
    if (response.write(chunk)) return;
    run.stdout.pause();
    response.once('drain', () => run.stdout.resume());
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  run.stdout.once('close', resolve);
  const [failure] = await Promise.all([run.failure, promise]);
  run.over();
  checkEnding(exchange);
  if (failure !== undefined) {
    console.error(failure);
    throw new Fault(500, failure);
  }
  head();
  response.end();
  console.error(`Took ${((performance.now() - exchange.startedAt) / 1000).toFixed(6)} secs`);
};

const logErrors = (source: Socket, { prefixLogs, logBufferBytes }: WatchdogSettings): void => {
  const prefix = prefixLogs ? 'stderr: ' : '';
  const lines = new LogLines(process.stderr.fd, { prefix, maxLineLength: logBufferBytes });
  source.setEncoding('utf8').on('data', (text: string) => lines.write(text));
  source.once('close', () => lines.flush());
};
