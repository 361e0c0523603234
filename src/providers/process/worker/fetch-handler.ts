import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { sendFault, sendValue } from './answer.ts';
import type { HandlerStyle } from './messages.ts';
import type { Listener } from './server.ts';

/** Web standard: bodies stream both ways; `request.signal` aborts when the caller leaves. */
export type FetchHandler = (request: Request) => unknown;

export const fetchListener = (handler: FetchHandler, style: HandlerStyle): Listener => {
  return (request, response) => {
    answer(handler, style, request, response).catch((error: unknown) => sendFault(response, error));
  };
};

const answer = async (
  handler: FetchHandler,
  style: HandlerStyle,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const caller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) caller.abort();
  });
  const request = toRequest(incoming, caller.signal);
  if (request === undefined) {
    const sentence = `A function that takes web-standard requests cannot be called with ${incoming.method}: they know no such verb.\n`;
    incoming.resume();
    response
      .writeHead(501, { 'content-type': 'text/plain; charset=utf-8', 'x-openfaas-internal': 'skein' })
      .end(sentence);
    return;
  }
  const answered = await handler(request);
  if (isResponse(answered)) await sendResponse(response, answered);
  else if (style === 'auto' && answered !== undefined) sendValue(response, 200, {}, answered);
  else
    throw new TypeError('the handler returned no Response; for (event, context) set "handler": "event" in skein.json');
  // What the handler left of the body must not block the next request on this connection.
  if (!incoming.readableEnded) incoming.resume();
};

const toRequest = (incoming: IncomingMessage, signal: AbortSignal): Request | undefined => {
  const method = incoming.method ?? 'GET';
  if (method === 'CONNECT' || method === 'TRACE' || method === 'TRACK') return undefined;
  const headers = new Headers();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at] as string, incoming.rawHeaders[at + 1] as string);
  }
  const bodiless = method === 'GET' || method === 'HEAD';
  return new Request(toUrl(incoming), {
    method,
    headers,
    signal,
    ...(bodiless ? {} : { body: Readable.toWeb(incoming) as ReadableStream<Uint8Array>, duplex: 'half' }),
  });
};

const toUrl = (incoming: IncomingMessage): string => {
  const path = incoming.url ?? '/';
  const host = incoming.headers.host ?? 'localhost';
  return URL.canParse(`http://${host}`) ? `http://${host}${path}` : `http://localhost${path}`;
};

/** Bundles may bring a Response class of their own. */
const isResponse = (value: unknown): value is Response =>
  value instanceof Response ||
  (typeof value === 'object' &&
    value !== null &&
    'status' in value &&
    typeof value.status === 'number' &&
    'arrayBuffer' in value &&
    'headers' in value);

const sendResponse = async (response: ServerResponse, answered: Response): Promise<void> => {
  const headers: string[] = [];
  answered.headers.forEach((value, name) => {
    headers.push(name, value);
  });
  response.writeHead(answered.status, answered.statusText === '' ? undefined : answered.statusText, headers);
  if (answered.body === null) {
    response.end();
    return;
  }
  await pump(answered.body, response);
};

const pump = async (body: ReadableStream<Uint8Array>, response: ServerResponse): Promise<void> => {
  const reader = body.getReader();
  const stop = (): void => void reader.cancel().catch(() => {});
  // Whose caller left before there was an answer: that was told once, and is not told again.
  if (response.destroyed) return stop();
  response.once('close', stop);
  // Headers go with the first bytes, unless those are a while in coming.
  const early = setImmediate(() => response.flushHeaders());
  let read = await reader.read();
  clearImmediate(early);
  for (; !read.done; read = await reader.read()) {
    if (!response.write(read.value)) await room(response);
    if (response.destroyed) return;
  }
  response.end();
};

const room = async (response: ServerResponse): Promise<void> => {
  if (response.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('drain', resolve).once('close', resolve);
  await promise;
  response.off('drain', resolve).off('close', resolve);
};
