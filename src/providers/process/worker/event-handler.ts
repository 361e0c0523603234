import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { parse, type ParsedUrlQuery } from 'node:querystring';
import { sendFault, sendValue, type HeaderValues } from './answer.ts';
import { bodyLimits, parseBody, readBody } from './event-body.ts';
import type { Listener } from './server.ts';

/** `event` of OpenFaaS' Node templates. */
type FunctionEvent = {
  /**
   * JSON (`application/json`, `{}` when empty) and forms (`application/x-www-form-urlencoded`) parsed, anything else as text; `{}` when
   * the request has no body; a Buffer always when `RAW_BODY` is `true`.
   */
  readonly body: unknown;
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly query: ParsedUrlQuery;
  readonly path: string;
};

/** The third argument of a handler, and what `context` ends in. */
type Callback = (error: unknown, value?: unknown) => void;

/** A handler may answer by its return value, by a promise, through `context`, or through `callback`: the first one counts. */
export type EventHandler = (event: FunctionEvent, context: FunctionContext, callback: Callback) => unknown;

/** `context` of OpenFaaS' Node templates: setters without an argument are getters, with one they can be chained. */
class FunctionContext {
  #status = 200;
  #headers: HeaderValues = {};
  readonly #finish: Callback;

  constructor(finish: Callback) {
    this.#finish = finish;
  }

  status(): number;
  status(code: number): this;
  status(code?: number): number | this {
    if (code === undefined) return this.#status;
    this.#status = code;
    return this;
  }

  headers(): HeaderValues;
  headers(values: HeaderValues): this;
  headers(values?: HeaderValues): HeaderValues | this {
    if (values === undefined) return this.#headers;
    this.#headers = values;
    return this;
  }

  succeed(value?: unknown): void {
    this.#finish(undefined, value);
  }

  /** Answers with the error's text, and with 500 unless another status was set. */
  fail(error?: unknown): void {
    this.#finish(error ?? new Error('the function called context.fail()'));
  }

  done(error: unknown, value?: unknown): void {
    this.#finish(error, value);
  }
}

export const eventListener = (handler: EventHandler): Listener => {
  const limits = bodyLimits(process.env);
  return (request, response) => {
    request.headers['content-type'] ??= 'text/plain';
    readBody(request, limits, (fault, bytes) => {
      if (fault !== undefined) {
        request.resume();
        response.writeHead(fault.status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${fault.message}\n`);
        return;
      }
      const body = parseBody(request, bytes, limits);
      if (body.fault !== undefined) {
        response.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' }).end(`${body.fault}\n`);
        return;
      }
      run(handler, toEvent(request, body.value), response);
    });
  };
};

const run = (handler: EventHandler, event: FunctionEvent, response: ServerResponse): void => {
  let answered = false;
  const finish: Callback = (error, value) => {
    if (answered) return;
    answered = true;
    try {
      if (error === undefined || error === null) sendValue(response, context.status(), context.headers(), value);
      else sendError(response, context, error);
    } catch (unsendable) {
      sendFault(response, unsendable);
    }
  };
  const context = new FunctionContext(finish);
  const fail = (error: unknown): void => {
    if (answered) {
      console.error(error);
      return;
    }
    answered = true;
    sendFault(response, error);
  };
  try {
    const value = handler(event, context, finish);
    if (isThenable(value)) value.then((settled) => finish(undefined, settled), fail);
    // A handler that returns nothing answers later, through its context or callback.
    else if (value !== undefined) finish(undefined, value);
    else if (handler.length < 2) finish(undefined);
  } catch (error) {
    fail(error);
  }
};

const sendError = (response: ServerResponse, context: FunctionContext, error: unknown): void => {
  console.error(error);
  const status = context.status() === 200 ? 500 : context.status();
  sendValue(response, status, context.headers(), error instanceof Error ? error.toString() : error);
};

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';

const toEvent = (request: IncomingMessage, body: unknown): FunctionEvent => {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  return {
    body,
    headers: request.headers,
    method: request.method ?? 'GET',
    query: mark === -1 ? {} : parse(url.slice(mark + 1)),
    path: mark === -1 ? url : url.slice(0, mark),
  };
};
