/** What the agent tells a worker, once. */
export type ToWorker = {
  /** Absolute path of the module that exports the handler. */
  readonly entry: string;
  readonly handler: HandlerStyle;
  /** The whole environment of the function. */
  readonly env: Readonly<Record<string, string>>;
};

/** What a worker tells the agent: `booted`, then `ready` or `failed`. Function code could forge these; they are hints. */
export type FromWorker =
  | { readonly kind: 'booted' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string };

export type HandlerStyle = 'auto' | 'event' | 'fetch';
