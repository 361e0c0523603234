import {
  request as httpRequest,
  type Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

export type Answered = {
  readonly status: number;
  readonly reason: string | undefined;
  readonly node: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

export type Asked = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer | Readable;
  readonly agent?: Agent;
};

/** One call, to the end of its answer. Rejects when the connection breaks before that. */
export const call = async (url: string, asked: Asked = {}): Promise<Answered> => {
  const answer = await begun(url, asked);
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return {
    status: answer.statusCode ?? 0,
    reason: answer.headers['x-skein-reason'] as string | undefined,
    node: answer.headers['x-skein-node'] as string | undefined,
    headers: answer.headers,
    body: Buffer.concat(chunks).toString('latin1'),
  };
};

/** One call, to the head of its answer. */
export const begun = (url: string, { method, headers, body, agent }: Asked = {}): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest(url, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: headers as Record<string, string>,
      agent: agent ?? false,
    });
    sent.once('response', resolve);
    sent.on('error', reject);
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) sent.end(body);
    else body.pipe(sent);
  });

/**
 * Writes `bytes` to a connection of its own and answers all that came back until it was closed, had what `until` asks
 * for, or was silent for a while.
 */
export const exchange = (
  port: number,
  bytes: string | Buffer,
  until?: RegExp | ((got: string) => boolean),
  silentMs = 10_000,
): Promise<string> =>
  new Promise((resolve) => {
    const isEnough = until instanceof RegExp ? (text: string): boolean => until.test(text) : until;
    const socket = connect(port, '127.0.0.1');
    let got = '';
    const done = (): void => {
      socket.destroy();
      resolve(got);
    };
    socket.setEncoding('latin1');
    socket.setTimeout(silentMs, done);
    socket.on('data', (text: string) => {
      got += text;
      if (isEnough?.(got) === true) done();
    });
    socket.on('error', done);
    socket.on('close', done);
    socket.write(bytes, 'latin1');
  });

/** The next `length` characters that a stream brings, in however many pieces. Rejects when it ends before. */
export const read = (stream: Readable, length: number): Promise<string> =>
  new Promise((resolve, reject) => {
    let got = '';
    const take = (chunk: Buffer): void => {
      got += chunk.toString('latin1');
      if (got.length < length) return;
      stream.off('data', take);
      stream.off('close', short);
      resolve(got);
    };
    const short = (): void => reject(new Error(`closed after ${got.length} of ${length} characters: ${got}`));
    stream.on('data', take);
    stream.once('close', short);
  });

/** Waits for what the outside gives no event for. */
export const eventually = async (holds: () => boolean | Promise<boolean>, what: string): Promise<void> => {
  const end = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`it never came to be that ${what}`);
    await pause(10);
  }
};

/** A function whose calls stay until they are let go. */
export class Gate {
  readonly waiting: ServerResponse[] = [];
  /** Calls whose client left before they were answered. */
  left = 0;
  #open = false;

  readonly listener: RequestListener = (_request, response) => {
    if (this.#open) return void response.end('through');
    this.waiting.push(response);
    response.once('close', () => {
      if (!response.writableFinished) this.left += 1;
    });
  };

  /** Resolves once `count` calls are there. */
  async arrived(count: number): Promise<void> {
    await eventually(() => this.waiting.length >= count, `${count} calls arrive`);
  }

  /** Lets all go, and those that come after. */
  open(): void {
    this.#open = true;
    for (const response of this.waiting.splice(0)) response.end('through');
  }
}

/** Answers with what it got. */
export const echo: RequestListener = (request, response) => {
  response.setHeader('content-type', request.headers['content-type'] ?? 'application/octet-stream');
  request.pipe(response);
};

/** Answers `text` to everything. */
export const saying =
  (text: string): RequestListener =>
  (request, response) => {
    request.resume();
    response.end(text);
  };

/** How often each value comes. */
export const tally = (values: readonly (string | undefined)[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value ?? ''] = (counts[value ?? ''] ?? 0) + 1;
  return counts;
};

export const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
