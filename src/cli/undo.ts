/** A start that fails leaves alone what an earlier agent left running: calls go on. A stop ends everything. */
export type Ending = { readonly kind: 'failed' } | { readonly kind: 'stopped'; readonly drainMs: number };

/** Takes back one step of a start. */
export type Undo = (ending: Ending) => Promise<void> | void;
