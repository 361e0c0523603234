import type { Duplex } from 'node:stream';
import type { Framing } from './http1/head.ts';

/** A request as it comes in, as far as a plane uses it. */
export interface Incoming {
  readonly method: string;
  /** The request target: a path that begins with a slash, with its query; or `*`. */
  readonly url: string;
  /** Name, value, name, value …, as they came. */
  readonly rawHeaders: readonly string[];
  /** What the head says of the body, as it was read. */
  readonly framing: Framing;
  /** The body was read to its end. */
  readonly complete: boolean;
  /** Of the connection that it came on. */
  readonly socket: { readonly remoteAddress?: string | undefined };
  /** The first listener makes the body flow. */
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  /** `close` comes last and always, also where `end` never did because the sender left. */
  once(event: 'end' | 'close', listener: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  /** Tells of the length of each part of the body when it comes, before anyone reads it. */
  watchBody(listener: (bytes: number) => void): void;
}

/** The answer to an `Incoming`, as far as a plane uses it. `node:http`'s `ServerResponse` is one, too. */
export interface Outgoing {
  readonly headersSent: boolean;
  /** As written by `writeHead`. */
  readonly statusCode: number;
  /** 100: the client may send its body. */
  writeContinue(): void;
  /** 102: the call was taken. */
  writeProcessing(): void;
  /** `headers` as in `Incoming.rawHeaders`. The head may wait for the first of the body, or for `flushHeaders`. */
  writeHead(status: number, headers: string[]): unknown;
  flushHeaders(): void;
  /** False when the other side is slower: `drain` says when to go on. */
  write(chunk: Buffer): boolean;
  end(chunk?: Buffer): unknown;
  /** Ends the connection in the middle of the answer. */
  destroy(): unknown;
  /** `close` comes once, when the answer was sent or its connection is gone. */
  once(event: 'close' | 'drain', listener: () => void): unknown;
}

/** Of a request that asks to speak another protocol on its connection, such as WebSocket (RFC 9110, 7.8). */
export type Upgrade = {
  /** As the request names it. */
  readonly protocol: string;
  /** Answers 101 with `headers` and gives the connection away, with what came on it behind the head. */
  accept(headers: string[]): Duplex;
};
