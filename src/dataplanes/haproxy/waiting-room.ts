import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { FunctionKey } from '../../domain/ids.ts';
import type { Reason } from '../../domain/reason.ts';
import { calm, mayWait, observeQueue, type Patience, type QueueFacts } from '../../routing/patience.ts';
import type { Clock } from '../../std/clock.ts';
import type { Demand } from '../data-plane.ts';
import { refuse } from '../refusals.ts';
import { HeldCall, type Asked, type Verdict } from './held-call.ts';

export type WaitingRoomNeeds = {
  /** HAProxy's own listener for calls that come again. */
  readonly again: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly onDemand: (demand: Demand) => void;
};

const maxAskers = 16;
/** How often the first of those that wait asks. */
const pollMs = 5;
/** What waits for a replica's start may wait so long, and what finds it started is worked off for so long. */
const coldMs = 10_000;
const holdMs = 30_000;
const warmMs = 4_000;
/** What is wanted is said again so often while it is. */
const tellMs = 1_000;

/** Calls of one function that wait for room, or of one that wait for a replica: the first of them ask. */
type Lane = {
  readonly key: FunctionKey;
  readonly calls: HeldCall[];
  readonly patience: Patience;
  verdict: Verdict | undefined;
  warmUntil: number;
  /** Those that ask now: one at first, twice as many whenever one found room, one again when one found none. */
  readonly askers: Set<HeldCall>;
  window: number;
  askAt: number;
};

/**
 * Where calls are that HAProxy has no place for now: it cannot hold them for a time of their own, nor tell the agent
 * that a replica is wanted. The room decides nothing of where they go: it asks HAProxy again, which takes the call
 * over, or says that there is still no room.
 */
export class WaitingRoom {
  readonly #needs: WaitingRoomNeeds;
  readonly #server: Server;
  readonly #waiting = new Map<FunctionKey, Lane>();
  readonly #holding = new Map<FunctionKey, Lane>();
  readonly #demanded = new Set<FunctionKey>();
  #toldAt = 0;
  #stopTicking: (() => void) | undefined;

  constructor(needs: WaitingRoomNeeds) {
    this.#needs = needs;
    const handle = (request: IncomingMessage, response: ServerResponse): void => void this.#arrived(request, response);
    this.#server = createServer({ maxHeaderSize: 128 * 1024, keepAliveTimeout: 75_000, requestTimeout: 0 }, handle);
    this.#server.on('checkContinue', handle);
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ path, backlog: 2048 }, () => resolve());
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#stopTicking?.();
  }

  /** Tells of all that waits: an agent may have come since, or did not read. */
  tellAgain(): void {
    this.#toldAt = this.#now();
    for (const key of [...this.#waiting.keys(), ...this.#holding.keys()]) this.#demand(key);
  }

  /** Calls that wait for room, by function. */
  queued(): Readonly<Record<FunctionKey, number>> {
    return Object.fromEntries([...this.#waiting].map(([key, { calls }]) => [key, calls.length]));
  }

  async #arrived(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = new HeldCall(request, response, this.#needs.again, this.#now());
    response.once('close', () => this.#left(call));
    if (!(await call.keep())) return call.end();
    if (request.headers['x-skein-carried'] !== undefined) return this.#carry(call);
    this.#enter(call);
  }

  /** It goes to a peer; its body is long, so the peer is asked before it is sent. */
  #carry(call: HeldCall): void {
    call.ask(this.#now(), (asked) => {
      if (call.ended) return;
      if (asked.kind === 'refused') this.#carry(call);
      else if (asked.kind === 'wait') this.#enter(call, asked.verdict);
    });
  }

  #enter(call: HeldCall, verdict?: Verdict): void {
    const lane = this.#lane(call);
    if (verdict !== undefined) this.#hear(lane, verdict);
    if (lane.verdict !== undefined && !this.#admit(call, lane, lane.verdict)) return;
    call.forgive();
    lane.calls.push(call);
    this.#demand(call.key);
    this.#tick();
    this.#ask(lane);
  }

  /** Whether one more may wait; refuses it where not. */
  #admit(call: HeldCall, lane: Lane, verdict: Verdict): boolean {
    if (call.waitUntil > 0) return true;
    const now = this.#now();
    if (call.holdsRoom) {
      call.waitUntil = now + holdMs;
      return true;
    }
    const facts = this.#facts(lane, verdict);
    observeQueue(lane.patience, facts, now);
    if (!mayWait(lane.patience, facts)) {
      this.#refuse(call, verdict.reason as Reason, verdict.status);
      return false;
    }
    call.waitUntil = now + (facts.warming ? Math.max(verdict.queueMs, coldMs) : verdict.queueMs);
    return true;
  }

  #hear(lane: Lane, verdict: Verdict): void {
    lane.verdict = verdict;
    if (verdict.starting) lane.warmUntil = this.#now() + warmMs;
  }

  #facts(lane: Lane, verdict: Verdict): QueueFacts {
    const now = this.#now();
    if (this.#holding.has(lane.key)) lane.warmUntil = now + warmMs;
    const { serviceMs, width, queueMs } = verdict;
    return { length: lane.calls.length, serviceMs, width, queueMs, warming: now < lane.warmUntil };
  }

  #ask(lane: Lane): void {
    for (const call of lane.calls) {
      if (lane.askers.size >= lane.window) return;
      if (lane.askers.has(call)) continue;
      lane.askers.add(call);
      call.ask(this.#now(), (asked) => this.#answered(lane, call, asked));
    }
  }

  #answered(lane: Lane, call: HeldCall, asked: Asked): void {
    lane.askers.delete(call);
    switch (asked.kind) {
      case 'taken':
      case 'over':
        if (!lane.calls.includes(call)) return;
        lane.window = Math.min(maxAskers, 2 * lane.window);
        this.#drop(lane, call);
        return this.#ask(lane);
      case 'refused':
        this.#putBack(lane, call);
        return this.#ask(lane);
      case 'wait':
        this.#hear(lane, asked.verdict);
        lane.window = 1;
        lane.askAt = this.#now() + pollMs;
        this.#putBack(lane, call);
        call.forgive();
        if (asked.verdict.stranded) return this.#strand(lane, asked.verdict);
        return this.#judge(lane, asked.verdict);
    }
  }

  /** No replica will come for these: they wait for room, as others do. */
  #strand(lane: Lane, verdict: Verdict): void {
    const calls = lane.calls.splice(0);
    this.#settle(lane);
    for (const call of calls) {
      lane.askers.delete(call);
      call.holdsRoom = false;
      call.waitUntil = 0;
      this.#enter(call, verdict);
    }
  }

  #drop(lane: Lane, call: HeldCall): void {
    const index = lane.calls.indexOf(call);
    if (index === -1) return;
    lane.calls.splice(index, 1);
    this.#settle(lane);
  }

  /** It was taken and given back: it is the first again. The lane may have been forgotten since. */
  #putBack(lane: Lane, call: HeldCall): void {
    if (call.ended || lane.calls.includes(call)) return;
    lane.calls.unshift(call);
    (call.holdsRoom ? this.#holding : this.#waiting).set(lane.key, lane);
    this.#tick();
  }

  /** Those that came before anything was known of their function are judged now, in the order in which they came. */
  #judge(lane: Lane, verdict: Verdict): void {
    for (const call of lane.calls.splice(0)) if (this.#admit(call, lane, verdict)) lane.calls.push(call);
    this.#settle(lane);
  }

  #expire(): void {
    const now = this.#now();
    for (const lanes of [this.#waiting, this.#holding]) {
      for (const lane of lanes.values()) {
        for (const call of lane.calls.filter(({ waitUntil }) => waitUntil > 0 && waitUntil <= now)) {
          this.#remove(call);
          const inVain = lane.verdict?.vain === undefined ? 'queue-timeout' : 'start-failed';
          this.#refuse(call, call.holdsRoom ? 'no-replica' : inVain, 503, lane.verdict?.vain);
        }
        for (const call of lane.calls.filter(({ arrivedAt, timeoutMs }) => now >= arrivedAt + timeoutMs)) {
          this.#remove(call);
          this.#refuse(call, 'timeout', 504);
        }
        if (lane.calls.length === 0) this.#settle(lane);
        else if (lane.askAt <= now) this.#ask(lane);
      }
    }
  }

  #tick(): void {
    this.#stopTicking ??= this.#needs.clock.every(pollMs, () => {
      this.#expire();
      if (this.#now() - this.#toldAt >= tellMs) this.tellAgain();
      if (this.#waiting.size + this.#holding.size > 0) return;
      this.#stopTicking?.();
      this.#stopTicking = undefined;
    });
  }

  #lane(call: HeldCall): Lane {
    const lanes = call.holdsRoom ? this.#holding : this.#waiting;
    let lane = lanes.get(call.key);
    if (lane === undefined) {
      lane = {
        key: call.key,
        calls: [],
        patience: calm(),
        verdict: undefined,
        warmUntil: 0,
        askers: new Set(),
        window: 1,
        askAt: 0,
      };
      lanes.set(call.key, lane);
    }
    return lane;
  }

  #settle(lane: Lane): void {
    const now = this.#now();
    if (lane.verdict !== undefined) observeQueue(lane.patience, this.#facts(lane, lane.verdict), now);
    if (lane.calls.length > 0) return;
    const lanes = this.#waiting.get(lane.key) === lane ? this.#waiting : this.#holding;
    if (lanes === this.#holding || !(lane.patience.overloaded || now < lane.warmUntil)) lanes.delete(lane.key);
  }

  #left(call: HeldCall): void {
    this.#remove(call);
    call.end();
  }

  #remove(call: HeldCall): void {
    const lane = (call.holdsRoom ? this.#holding : this.#waiting).get(call.key);
    if (lane === undefined) return;
    lane.askers.delete(call);
    this.#drop(lane, call);
  }

  #refuse(call: HeldCall, reason: Reason, status: number, why?: string): void {
    if (call.ended || call.response.headersSent) return;
    call.end();
    const { nodeName: node } = this.#needs;
    const hint = reason === 'start-failed' ? why : undefined;
    refuse(call.response, { status, reason, subject: call.key, hint, node, callId: call.callId, load: undefined });
  }

  #demand(key: FunctionKey): void {
    if (this.#demanded.has(key)) return;
    this.#demanded.add(key);
    // Calls that come in the same turn are told of once.
    setImmediate(() => {
      this.#demanded.delete(key);
      const waiting = this.#waiting.get(key);
      const holding = this.#holding.get(key);
      const running = Math.max(
        waiting?.verdict?.running ?? 0,
        holding?.verdict?.running ?? 0,
        holding?.calls.length ?? 0,
      );
      const waits = waiting?.calls.length ?? 0;
      // What ran when a lane was last told of it is no news, once nothing waits there.
      if (waits + (holding?.calls.length ?? 0) === 0) return;
      if (running + waits > 0) this.#needs.onDemand({ key, inFlight: running + waits });
    });
  }

  #now(): number {
    return this.#needs.clock.monotonic();
  }
}
