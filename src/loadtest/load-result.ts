/** What a load test measured. Other programs read it as JSON (`skein load --json`): fields may be added, never changed. */
export type LoadResult = {
  readonly target: string;
  /** Requests per second as asked for; `max` for a closed loop. */
  readonly rate: number | 'max';
  /** Requests sent per second, over `durationSeconds`. */
  readonly achievedRate: number;
  /** How long requests were being sent. */
  readonly durationSeconds: number;
  readonly sent: number;
  /** Answered with a status of 200 to 399, the body read to its end. */
  readonly succeeded: number;
  /** Answered with another status, or not at all. */
  readonly failed: number;
  /** Requests whose time came while every connection was taken. */
  readonly unsent: number;
  /** succeeded / (sent + unsent); 1 when there was nothing to send. */
  readonly successRatio: number;
  /** Answers by status code. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests without an answer, by what went wrong: `refused`, `closed`, `timeout`, `malformed`, `tls`, … (`error-kind.ts`). */
  readonly errors: Readonly<Record<string, number>>;
  /** Failed requests by the `X-Skein-Reason` of their answer. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Of the succeeded requests, from the moment each was due to the end of its answer. 0 when there are none. */
  readonly latencyMs: LatencyMs;
  /** Succeeded requests by the `X-Skein-Node` of their answer: who served. */
  readonly nodes: Readonly<Record<string, NodeResult>>;
  /** One row for each second of sending; a request counts in the second in which it was due. */
  readonly perSecond: readonly SecondResult[];
};

export type LatencyMs = {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
};

/** Latencies in milliseconds. */
export type NodeResult = { readonly served: number; readonly p50: number; readonly p99: number };

export type SecondResult = {
  /** From 0. */
  readonly second: number;
  readonly sent: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly unsent: number;
};
