import { build, type Histogram } from 'hdr-histogram-js';
import type { LatencyMs, LoadResult, NodeResult, SecondResult } from './load-result.ts';

/** How one request ended. */
export type Outcome =
  | { readonly kind: 'answered'; readonly status: number; readonly node?: string; readonly reason?: string }
  | { readonly kind: 'error'; readonly error: string };

/** Names come from the server: past this many different ones, the rest are counted together. */
const maxNames = 256;
const otherNames = 'other';

/** A histogram of a busy node is about 100 KiB; two digits are plenty there. */
const nodeDigits = 2;
const totalDigits = 3;

type Second = { sent: number; succeeded: number; failed: number; unsent: number };

/** Counts and latencies of a load test. Memory grows with its seconds, not with its requests. */
export class Tally {
  sent = 0;
  succeeded = 0;
  failed = 0;
  unsent = 0;
  readonly #latency = newHistogram(totalDigits);
  readonly #nodes = new Map<string, Histogram>();
  readonly #statuses = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #reasons = new Map<string, number>();
  readonly #seconds: Second[] = [];

  /** `dueMs`: when a request was due, from the start. */
  countSent(dueMs: number): void {
    this.sent++;
    this.#second(dueMs).sent++;
  }

  countUnsent(dueMs: number): void {
    this.unsent++;
    this.#second(dueMs).unsent++;
  }

  countOutcome(dueMs: number, latencyMs: number, outcome: Outcome): void {
    if (outcome.kind === 'error') {
      count(this.#errors, outcome.error);
      this.#fail(dueMs);
      return;
    }
    count(this.#statuses, String(outcome.status));
    if (outcome.status < 200 || outcome.status > 399) {
      if (outcome.reason !== undefined) count(this.#reasons, outcome.reason);
      this.#fail(dueMs);
      return;
    }
    this.succeeded++;
    this.#second(dueMs).succeeded++;
    const micros = Math.max(1, Math.round(latencyMs * 1000));
    this.#latency.recordValue(micros);
    if (outcome.node !== undefined) this.#node(outcome.node).recordValue(micros);
  }

  /** Of the succeeded requests so far. */
  latencyMs(): LatencyMs {
    const histogram = this.#latency;
    if (histogram.totalCount === 0) return { mean: 0, p50: 0, p90: 0, p99: 0, max: 0 };
    return {
      mean: toMs(histogram.mean),
      p50: percentileMs(histogram, 50),
      p90: percentileMs(histogram, 90),
      p99: percentileMs(histogram, 99),
      max: toMs(histogram.maxValue),
    };
  }

  result(run: { readonly target: string; readonly rate: number | 'max'; readonly durationMs: number }): LoadResult {
    const durationSeconds = run.durationMs / 1000;
    const wanted = this.sent + this.unsent;
    return {
      target: run.target,
      rate: run.rate,
      achievedRate: durationSeconds > 0 ? rounded(this.sent / durationSeconds) : 0,
      durationSeconds: rounded(durationSeconds),
      sent: this.sent,
      succeeded: this.succeeded,
      failed: this.failed,
      unsent: this.unsent,
      successRatio: wanted === 0 ? 1 : this.succeeded / wanted,
      statuses: sorted(this.#statuses),
      errors: sorted(this.#errors),
      reasons: sorted(this.#reasons),
      latencyMs: this.latencyMs(),
      nodes: Object.fromEntries([...this.#nodes].sort(byKey).map(([name, histogram]) => [name, nodeResult(histogram)])),
      perSecond: this.#seconds.map((second, index): SecondResult => ({ second: index, ...second })),
    };
  }

  #fail(dueMs: number): void {
    this.failed++;
    this.#second(dueMs).failed++;
  }

  #second(dueMs: number): Second {
    const index = Math.max(0, Math.floor(dueMs / 1000));
    while (this.#seconds.length <= index) this.#seconds.push({ sent: 0, succeeded: 0, failed: 0, unsent: 0 });
    return this.#seconds[index]!;
  }

  #node(name: string): Histogram {
    const key = boundedName(this.#nodes, name);
    let histogram = this.#nodes.get(key);
    if (histogram === undefined) {
      histogram = newHistogram(nodeDigits);
      this.#nodes.set(key, histogram);
    }
    return histogram;
  }
}

const newHistogram = (digits: 2 | 3): Histogram =>
  build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: digits });

const nodeResult = (histogram: Histogram): NodeResult => ({
  served: histogram.totalCount,
  p50: percentileMs(histogram, 50),
  p99: percentileMs(histogram, 99),
});

const percentileMs = (histogram: Histogram, percentile: number): number =>
  toMs(Math.min(histogram.getValueAtPercentile(percentile), histogram.maxValue));

const toMs = (micros: number): number => rounded(micros / 1000);

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

const boundedName = (known: ReadonlyMap<string, unknown>, name: string): string =>
  known.has(name) || known.size < maxNames ? name : otherNames;

const count = (counts: Map<string, number>, name: string): void => {
  const key = boundedName(counts, name);
  counts.set(key, (counts.get(key) ?? 0) + 1);
};

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

const sorted = (counts: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...counts].sort(byKey));
