import type { FunctionKey } from '../../domain/ids.ts';
import type { CallRecord } from '../../telemetry/call-record.ts';
import { planeInstruments } from '../../telemetry/plane-instruments.ts';

/** What HAProxy's own counters tell is told by the agent (`metrics.ts`). */
const ours = new Set([
  'gateway_function_invocation_total',
  'gateway_functions_seconds',
  'skein_queue_wait_seconds',
  'skein_run_seconds',
]);

/** Functions come and go while nobody asks for metrics: of more, all is counted anew. */
const maxFunctions = 10_000;

/** Statuses and times of calls, by function, from what HAProxy tells of each that has ended. */
export class CallMeters {
  readonly #nodeName: string;
  readonly #instruments = planeInstruments({ inFlight: () => 0 });
  readonly #functions = new Set<FunctionKey>();

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  count({ functionName, status, reason, servedBy, waitMs, runMs, durationMs }: CallRecord): void {
    // Strangers make up names.
    if (reason === 'unknown-function' || reason === 'not-a-peer') return;
    if (this.#functions.size >= maxFunctions && !this.#functions.has(functionName)) this.#retain([]);
    this.#functions.add(functionName);
    const meter = this.#instruments.meter(functionName);
    meter.finished(status, durationMs / 1000);
    if (runMs > 0) meter.waited(waitMs / 1000);
    const isWhole = reason === undefined && status !== 499;
    if (isWhole && runMs > 0 && servedBy === this.#nodeName) meter.ran(runMs / 1000);
  }

  /** Of these functions, in the form of prom-client's `getMetricsAsJSON`; what is known of others is forgotten. */
  async metrics(functions: readonly FunctionKey[]): Promise<readonly unknown[]> {
    this.#retain(functions);
    const all = (await this.#instruments.metrics()) as readonly { readonly name: string }[];
    return all.filter(({ name }) => ours.has(name));
  }

  #retain(functions: readonly FunctionKey[]): void {
    this.#instruments.retain(functions);
    this.#functions.clear();
    for (const key of functions) this.#functions.add(key);
  }
}
