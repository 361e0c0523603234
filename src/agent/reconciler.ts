import { codeOf, messageOf } from '../domain/errors.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { FunctionProvider, FunctionSpec } from '../providers/provider.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Hosted } from './hosted.ts';

export type ReconcilerNeeds = {
  readonly provider: FunctionProvider;
  /** What should be, by key; undefined when the function is gone. */
  readonly wanted: (key: FunctionKey) => Hosted | undefined;
  /** Sees to it that the bundle is here. */
  readonly fetchBundle: (spec: FunctionSpec) => Promise<void>;
  /** The provider took what is wanted, which it did not have before. */
  readonly onTaken: (hosted: Hosted) => void;
  /** What is here or why it is not has changed. */
  readonly onChange: (key: FunctionKey) => void;
  readonly clock: Clock;
  readonly log: Log;
};

/** Functions that are brought into line at the same time. */
const parallel = 4;
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** Calls wait for a try that is this near. */
const worthWaitingMs = 2_000;
const stopMs = 3_000;

/**
 * Makes the provider run what the catalogue wants. It looks at what should be and what is, never at how it came to that,
 * so that it may be told too often, too late or twice. What fails is tried again with growing pauses.
 */
export class Reconciler {
  readonly #needs: ReconcilerNeeds;
  /** Keys to look at, in order. */
  readonly #due = new Set<FunctionKey>();
  readonly #running = new Map<FunctionKey, Promise<void>>();
  readonly #pauses = new Map<FunctionKey, { readonly ms: number; readonly cancel: () => void }>();
  #stopped = false;

  constructor(needs: ReconcilerNeeds) {
    this.#needs = needs;
  }

  touch(key: FunctionKey): void {
    this.#forgetPause(key);
    this.#due.add(key);
    this.#next();
  }

  #forgetPause(key: FunctionKey): void {
    this.#pauses.get(key)?.cancel();
    this.#pauses.delete(key);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { cancel } of this.#pauses.values()) cancel();
    // A start or a transfer that hangs must not keep the node from stopping.
    const late = new Promise<void>((resolve) => {
      this.#needs.clock.after(stopMs, resolve);
    });
    await Promise.race([Promise.all(this.#running.values()), late]);
  }

  #next(): void {
    for (const key of this.#due) {
      if (this.#stopped || this.#running.size >= parallel) return;
      // Its turn comes when the run that is under way has ended.
      if (this.#running.has(key)) continue;
      this.#due.delete(key);
      const run = this.#reconcile(key).finally(() => {
        this.#running.delete(key);
        this.#next();
      });
      this.#running.set(key, run);
    }
  }

  async #reconcile(key: FunctionKey): Promise<void> {
    const hosted = this.#needs.wanted(key);
    try {
      await this.#align(key, hosted);
      this.#forgetPause(key);
      if (hosted?.spec !== undefined) {
        delete hosted.problem;
        delete hosted.fault;
      }
    } catch (error) {
      const ms = Math.min(longestPauseMs, 2 * (this.#pauses.get(key)?.ms ?? firstPauseMs / 2));
      this.#pauses.get(key)?.cancel();
      this.#needs.log.warn({ function: key, problem: messageOf(error), retryMs: ms }, 'a function is not as wanted');
      if (hosted !== undefined) {
        hosted.problem = messageOf(error);
        if (codeOf(error) === 'invalid') hosted.fault = 'unfit';
        else if (ms > worthWaitingMs) hosted.fault = 'missing';
      }
      if (this.#stopped) return;
      const cancel = this.#needs.clock.after(ms, () => {
        this.#due.add(key);
        this.#next();
      });
      this.#pauses.set(key, { ms, cancel });
    }
    this.#needs.onChange(key);
  }

  async #align(key: FunctionKey, hosted: Hosted | undefined): Promise<void> {
    const { provider } = this.#needs;
    const present = (await provider.list()).find(({ spec }) => `${spec.ref.name}.${spec.ref.namespace}` === key);
    const spec = hosted?.spec;
    if (hosted === undefined || spec === undefined) {
      if (present === undefined) return;
      // The provider forgets it at once; its last calls may take minutes, and nothing waits for them.
      provider.remove(present.spec.ref).catch((error: unknown) => {
        this.#needs.log.warn({ function: key, problem: messageOf(error) }, 'a removed function did not end in order');
      });
      return;
    }
    if (present?.spec.revision === spec.revision) {
      hosted.ready = true;
      return;
    }
    await this.#needs.fetchBundle(spec);
    if (present === undefined) await provider.deploy(spec, 0);
    else await provider.update(spec);
    hosted.ready = true;
    this.#needs.onTaken(hosted);
  }
}
