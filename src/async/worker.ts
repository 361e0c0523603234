import { setImmediate as immediately } from 'node:timers/promises';
import { messageOf } from '../domain/errors.ts';
import type { QueueItem, Taken } from '../queues/queue.ts';
import type { AsyncKind } from '../telemetry/async-instruments.ts';
import type { AsyncConfig, AsyncNeeds } from './async-needs.ts';
import { callbackOf, callbackOfBuried } from './callback-of.ts';
import type { CallbackSender } from './callback-sender.ts';
import type { Answer } from './invoke.ts';
import { Lanes } from './lanes.ts';
import { functionOfLane, isCallbackLane, parseItem, type QueuedCall } from './queued.ts';
import { afterRefusal, refusalOfCall, type Refusal } from './retry.ts';
import { traced } from './traced.ts';

/** How one attempt ended. */
type Outcome =
  | { readonly kind: 'done'; readonly followUp: QueueItem | undefined }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly ifBuried: QueueItem | undefined };

/** When the queue does not answer. */
const queueBrokenMs = 1_000;
/** Room for what a callback's item carries beside the answer's body. */
const metaBytes = 65_536;

/** Takes from the queue, calls, and settles: as many at once as each function and the node may have. */
export class Worker {
  readonly #needs: AsyncNeeds;
  readonly #config: AsyncConfig;
  readonly #sender: CallbackSender;
  readonly #lanes: Lanes;
  readonly #running = new Set<Promise<void>>();
  readonly #cut = new AbortController();
  #stopped = true;
  #turned: Promise<void> | undefined;
  #again = false;
  /** How often the queue woke us. */
  #wakes = 0;
  #cancelTimer = (): void => undefined;
  #endWakes = (): void => undefined;

  constructor(needs: AsyncNeeds, config: AsyncConfig, sender: CallbackSender) {
    this.#needs = needs;
    this.#config = config;
    this.#sender = sender;
    this.#lanes = new Lanes(needs, config);
  }

  start(): void {
    this.#stopped = false;
    this.#endWakes = this.#needs.queue.onReady(() => {
      this.#wakes++;
      this.#turn();
    });
    this.#turn();
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#endWakes();
    this.#cancelTimer();
    const cancel = this.#needs.clock.after(graceMs, () => this.#cut.abort(new Error('the node stops')));
    await this.#turned;
    while (this.#running.size > 0) await Promise.all(this.#running);
    cancel();
  }

  /** One turn at a time; what comes meanwhile makes it go on. */
  #turn(): void {
    this.#again = true;
    this.#turned ??= this.#turnOver().finally(() => {
      this.#turned = undefined;
      if (this.#again && !this.#stopped) this.#turn();
    });
  }

  /** Takes what may be taken, then sleeps until something may have changed. */
  async #turnOver(): Promise<void> {
    this.#cancelTimer();
    let sleepMs: number | undefined;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      sleepMs = await this.#takeAll();
    }
    if (sleepMs !== undefined && !this.#stopped)
      this.#cancelTimer = this.#needs.clock.after(sleepMs, () => this.#turn());
  }

  /** How long to sleep; undefined when something will wake us. */
  async #takeAll(): Promise<number | undefined> {
    try {
      const { lanes, nextInMs } = await this.#needs.queue.ready();
      const open = new Set(lanes);
      for (;;) {
        const next = this.#lanes.next(open);
        if (next.lane === undefined) return least(nextInMs, next.inMs);
        if (this.#stopped) return undefined;
        this.#begin(next.lane, open);
        // The disk takes several at once; what is found empty meanwhile is not asked again.
        await immediately();
      }
    } catch (error) {
      this.#queueBroken(error);
      return queueBrokenMs;
    }
  }

  #begin(lane: string, open: Set<string>): void {
    this.#lanes.began(lane);
    const run = this.#takeAndRun(lane, open).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  async #takeAndRun(lane: string, open: Set<string>): Promise<void> {
    const wakes = this.#wakes;
    const taken = await this.#take(lane);
    if (taken === 'failed') {
      // Its pause is what wakes us: the queue need not know when its disk has room again.
      this.#lanes.ended(lane, true);
      return this.#turn();
    }
    if (taken !== undefined && !this.#stopped) {
      await this.#run(lane, taken);
      this.#turn();
      return;
    }
    open.delete(lane);
    this.#lanes.released(lane);
    if (taken !== undefined) await taken.retryLater(0).catch((error: unknown) => this.#troubled(taken, error));
    // What came while the lane had no room for it, because of us, must not wait for the next one to come.
    else if (wakes !== this.#wakes) this.#turn();
  }

  async #take(lane: string): Promise<Taken | 'failed' | undefined> {
    try {
      return await this.#needs.queue.take(lane);
    } catch (error) {
      this.#queueBroken(error);
      return 'failed';
    }
  }

  async #run(lane: string, taken: Taken): Promise<void> {
    const endExtending = this.#needs.clock.every(this.#needs.queue.limits.leaseMs / 3, () => {
      taken.extend().catch((error: unknown) => this.#troubled(taken, error));
    });
    let refused = false;
    this.#countBegun(taken);
    try {
      const outcome = await this.#attempt(taken);
      refused = outcome.kind === 'refused';
      await this.#settle(taken, outcome);
    } catch (error) {
      // The lease runs out, and the item is taken again.
      this.#troubled(taken, error);
    } finally {
      endExtending();
      this.#lanes.ended(lane, refused && !isCallbackLane(lane));
    }
  }

  async #attempt({ item, attempt }: Taken): Promise<Outcome> {
    const parsed = parseItem(item);
    if (parsed.kind === 'unreadable') return refused({ why: parsed.why, final: true });
    const ifBuried = parsed.kind === 'call' ? callbackOfBuried(parsed.call) : undefined;
    // Whoever took it before never told how it ended: it may be what ends them.
    if (attempt > this.#config.retries.maxAttempts) return refused({ why: 'no attempt came to an end' }, ifBuried);
    if (parsed.kind === 'call') return this.#call(parsed.call, item.body, attempt, ifBuried);
    const refusal = await this.#sender.send(parsed.callback, item.body, this.#cut.signal);
    return refusal === undefined ? { kind: 'done', followUp: undefined } : refused(refusal);
  }

  async #call(call: QueuedCall, body: Uint8Array, attempt: number, ifBuried: QueueItem | undefined): Promise<Outcome> {
    const step = traced(this.#needs, { ...call, name: 'attempt', kind: 'consumer' });
    const began = this.#needs.clock.monotonic();
    const answer = await this.#answer({ ...call, headers: step.headers }, body);
    const durationMs = this.#needs.clock.monotonic() - began;
    const refusal = 'why' in answer ? answer : refusalOfCall(answer.status, answer.headers);
    const status = 'status' in answer ? answer.status : undefined;
    const attributes = { 'skein.attempt': attempt, 'skein.refusal': refusal?.why, 'http.response.status_code': status };
    step.end({ failed: refusal !== undefined, attributes });
    if (refusal !== undefined) return refused(refusal, ifBuried);
    return { kind: 'done', followUp: callbackOf(call, answer as Answer, durationMs) };
  }

  async #answer(call: QueuedCall, body: Uint8Array): Promise<Answer | Refusal> {
    const { key, path, callId, headers, callbackUrl } = call;
    const { callTimeoutMs } = this.#config;
    const { itemBytes } = this.#needs.queue.limits;
    const late = new AbortController();
    const cancel = this.#needs.clock.after(callTimeoutMs, () =>
      late.abort(new Error(`no answer in ${callTimeoutMs} ms`)),
    );
    const keepBytes = callbackUrl === undefined ? 0 : Math.max(0, itemBytes - metaBytes);
    try {
      const signal = AbortSignal.any([this.#cut.signal, late.signal]);
      return await this.#needs.invoke({ function: key, path, callId, headers, body }, keepBytes, signal);
    } catch (error) {
      return { why: `the gateway did not answer: ${messageOf(error)}` };
    } finally {
      cancel();
    }
  }

  async #settle(taken: Taken, outcome: Outcome): Promise<void> {
    if (outcome.kind === 'done') {
      await taken.done(outcome.followUp);
      return this.#countEnded(taken, 'done');
    }
    // Cut off by our own stopping, which is no fault of the call.
    if (this.#cut.signal.aborted) return taken.retryLater(0);
    const next = afterRefusal(outcome.refusal, taken, this.#config.retries, this.#needs.random);
    const { lane, callId } = taken.item;
    const fields = { lane, callId, attempt: taken.attempt };
    if (next.kind === 'retry') {
      this.#needs.log.debug(
        { ...fields, why: outcome.refusal.why, delayMs: next.delayMs },
        'an asynchronous call is tried again',
      );
      await taken.retryLater(next.delayMs);
      return this.#countEnded(taken, 'retried');
    }
    this.#needs.log.warn({ ...fields, why: next.why }, 'an asynchronous call became a dead letter');
    await taken.bury(next.why, outcome.ifBuried);
    this.#countEnded(taken, 'buried');
  }

  #countBegun({ item: { lane }, attempt, ageMs }: Taken): void {
    if (attempt === 1) this.#needs.instruments?.begun(functionOfLane(lane), kindOfLane(lane), ageMs / 1000);
  }

  #countEnded({ item: { lane } }: Taken, how: 'done' | 'retried' | 'buried'): void {
    this.#needs.instruments?.ended(functionOfLane(lane), kindOfLane(lane), how);
  }

  #queueBroken(error: unknown): void {
    this.#needs.log.warn({ error: messageOf(error) }, 'the queue of asynchronous calls does not answer');
  }

  #troubled({ item: { lane, callId } }: Taken, error: unknown): void {
    this.#needs.log.warn(
      { lane, callId, error: messageOf(error) },
      'the queue could not note how an asynchronous call stands',
    );
  }
}

const kindOfLane = (lane: string): AsyncKind => (isCallbackLane(lane) ? 'callback' : 'call');

const refused = (refusal: Refusal, ifBuried?: QueueItem): Outcome => ({ kind: 'refused', refusal, ifBuried });

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
