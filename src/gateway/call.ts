/** One request, without the framework that took it. */
export type Call = {
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  readonly headers: Headers;
  readonly query: URLSearchParams;
  /** Of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  /** null where there is none. */
  body(): ReadableStream<Uint8Array> | null;
  /** Ends when the client is gone. */
  readonly signal: AbortSignal;
};

/** Refuses by throwing `SkeinError`s. */
export type Handler = (call: Call) => Promise<Response>;
