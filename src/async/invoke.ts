import type { FunctionKey } from '../domain/ids.ts';

export type Invocation = {
  readonly function: FunctionKey;
  /** Path and query for the function, beginning with a slash. */
  readonly path: string;
  readonly callId: string;
  /** Flat pairs, without those of one connection. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
};

export type Answer = {
  readonly status: number;
  readonly headers: readonly string[];
  /** Undefined when it was longer than was to be kept. */
  readonly body: Uint8Array | undefined;
};

/**
 * Makes a call, as POST, through a gateway, which routes and waits as it does for any client. Resolves with whatever was answered, once
 * it was read whole; keeps at most `keepBytes` of the body. Rejects when there was no answer, or `signal` ended it.
 */
export type Invoke = (call: Invocation, keepBytes: number, signal: AbortSignal) => Promise<Answer>;
