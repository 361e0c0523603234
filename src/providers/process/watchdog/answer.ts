import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from './buffer.ts';
import { goHeaders } from './cgi.ts';
import type { AnswerNeeds, Ending, Exchange } from './exchange.ts';
import { Fault } from './fault.ts';
import { stream } from './stream.ts';

/** Forks a process for a request and sends what comes of it. Never rejects. */
export const answer = async (needs: AnswerNeeds, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { settings } = needs;
  const ending = new AbortController();
  const end = (why: Ending): void => ending.abort(why);
  response.once('close', () => end('caller-left'));
  const timer =
    settings.writeTimeoutMs > 0 ? setTimeout(() => end('write-timeout'), settings.writeTimeoutMs) : undefined;
  const exchange = { ...needs, request, response, ending, startedAt: performance.now() };
  try {
    if (settings.debugHeaders) for (const [name, values] of goHeaders(request)) logHeader('in', name, values);
    await (settings.mode === 'streaming' ? stream(exchange) : buffer(exchange));
    if (settings.debugHeaders) {
      for (const [name, value] of Object.entries(response.getHeaders())) logHeader('out', name, [String(value)]);
    }
  } catch (error) {
    refuse(exchange, error);
  } finally {
    clearTimeout(timer);
  }
};

const refuse = ({ response, ending, settings }: Exchange, error: unknown): void => {
  if (ending.signal.reason === ('caller-left' satisfies Ending)) {
    if (!response.destroyed) response.destroy();
    return;
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const fault = error instanceof Fault ? error : new Fault(500, error instanceof Error ? error.message : String(error));
  const late = ending.signal.reason === ('write-timeout' satisfies Ending);
  // What is left of a body that nobody reads must not be taken for the next request.
  if (fault.status === 413 || fault.status === 400 || late) response.setHeader('Connection', 'close');
  if (fault.status === 504) response.setHeader('X-OpenFaaS-Internal', 'of-watchdog');
  const body = Buffer.from(`${fault.message}\n`);
  if (settings.writeDebug) console.error(fault.message);
  response.writeHead(late ? 504 : fault.status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
  });
  response.end(body);
};

const logHeader = (direction: string, name: string, values: readonly string[]): void =>
  console.log(`[${direction}] ${name}=[${values.join(' ')}]`);
