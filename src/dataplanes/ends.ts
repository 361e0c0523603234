import type { Reason } from '../domain/reason.ts';
import type { FunctionMeter } from '../telemetry/plane-instruments.ts';
import type { Answer } from './answer.ts';
import type { Call } from './call.ts';
import type { Deadlines } from '../std/deadlines.ts';
import type { PlaneState } from './plane-state.ts';
import { recordOf } from './record-of.ts';
import { statusFor } from './first-word.ts';
import { refuse } from './refusals.ts';

/** What a refusal says beside its reason. */
export type RefusalDetails = { readonly hint?: string | undefined; readonly closes?: boolean };

/** How calls end: each once, counted, told of, and with an answer where there can still be one. */
export class Ends {
  readonly #state: PlaneState;
  readonly #deadlines: Deadlines<Call>;

  constructor(state: PlaneState, deadlines: Deadlines<Call>) {
    this.#state = state;
    this.#deadlines = deadlines;
  }

  /** The answer is whole, or nobody waits for it any more. */
  finish(call: Call, status: number): void {
    if (call.ended) return;
    this.#meter(call)?.finished(status, this.#seconds(call));
    this.#over(call, status, call.reason);
  }

  refuse(call: Call, reason: Reason, status: number, details: RefusalDetails = {}): void {
    if (call.ended) return;
    const { rejected } = this.#state.countsOf(call.key);
    rejected[reason] = (rejected[reason] ?? 0) + 1;
    if (this.#knows(call)) this.#state.needs.instruments.meter(call.key).rejected(reason);
    this.#meter(call)?.finished(status, this.#seconds(call));
    this.refuseUncounted(call, reason, status, details);
  }

  /** Of what never became a call of a known function. */
  refuseUncounted(call: Call, reason: Reason, status: number, details: RefusalDetails = {}): void {
    if (call.ended) return;
    if (call.response.headersSent) call.response.destroy();
    else {
      call.bytesOut += refuse(call.response, {
        status: statusFor(call, reason, status),
        reason,
        subject: call.key,
        hint: reason === 'start-failed' ? this.#state.function(call.key)?.problem : undefined,
        ...details,
        node: this.#state.nodeName,
        callId: call.callId,
        startTime: call.startTime,
        load: call.from === undefined ? undefined : this.#state.load(call.key),
      });
    }
    this.#over(call, status, reason);
  }

  /** The source of the answer broke in the middle. */
  breakOff(call: Call, answer: Answer): void {
    call.reason = 'function-failed';
    this.finish(call, 502);
    answer.abandon();
  }

  #over(call: Call, status: number, reason: Reason | undefined): void {
    call.phase = 'ended';
    this.#deadlines.remove(call);
    const { onCall, tracer, clock } = this.#state.needs;
    if (call.ranAt > 0) this.#meter(call)?.waited((call.ranAt - call.startedAt) / 1000);
    if (onCall === undefined && tracer === undefined) return;
    const record = recordOf(call, status, reason, { monotonic: this.#state.now(), epoch: clock.now() });
    onCall?.(record);
    if (call.traceparentOut !== undefined) tracer?.end(record);
  }

  #knows(call: Call): boolean {
    return this.#state.function(call.key) !== undefined;
  }

  /** Of a call that was counted as begun, while its function is known. */
  #meter(call: Call): FunctionMeter | undefined {
    return call.metered && this.#knows(call) ? this.#state.needs.instruments.meter(call.key) : undefined;
  }

  #seconds(call: Call): number {
    return (this.#state.now() - call.startedAt) / 1000;
  }
}
