import type { FunctionKey } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';
import { counter, gauge, histogram, TimeTally, type Labels, type MetricJson } from './tallies.ts';

/**
 * What the data plane's process counts of requests. Names and labels are OpenFaaS' and DESIGN.md's; `function_name` is
 * always `NAME.NAMESPACE` of a function that the plan knows, so that callers cannot make series.
 */
export type PlaneInstruments = {
  /** The meter of a function; the same one each time until `retain` drops it. Only for functions of the plan. */
  meter(key: FunctionKey): FunctionMeter;
  /** A call for a name that nobody knows: counted without the name. */
  unknownFunction(): void;
  /** Drops the series of functions that are not among `keys`; what their meters count after that is not shown. */
  retain(keys: Iterable<FunctionKey>): void;
  /** For the node's `/metrics`: what `Observation.metrics` carries. */
  readonly metrics: () => Promise<readonly unknown[]>;
};

export type PlaneGauges = {
  /** Invocations running or waiting now, read when the metrics are. */
  readonly inFlight: () => number;
};

/** Bounds of the label `peer` for one function; more are counted together as `other`. */
const maxPeers = 512;

const answerBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const waitBounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const runBounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Functions choose their status: what is no HTTP status must not make series without end. */
const otherCode = 0;

/** Counts the calls of one function. */
export class FunctionMeter {
  startedCount = 0;
  readonly waitTimes = new TimeTally(waitBounds);
  readonly runTimes = new TimeTally(runBounds);
  readonly byCode = new Map<number, TimeTally>();
  readonly byPeer = new Map<string, number>();
  readonly byReason = new Map<Reason, number>();

  started(): void {
    this.startedCount += 1;
  }

  /** Answered, by whomever: the status that the client got, and the time since it was started. */
  finished(status: number, seconds: number): void {
    const code = Number.isInteger(status) && status >= 100 && status <= 599 ? status : otherCode;
    let tally = this.byCode.get(code);
    if (tally === undefined) {
      tally = new TimeTally(answerBounds);
      this.byCode.set(code, tally);
    }
    tally.observe(seconds);
  }

  /** Handed to a peer and accepted there. `peer` is the peer's name. */
  forwarded(peer: string): void {
    const counted = this.byPeer.has(peer) || this.byPeer.size < maxPeers ? peer : 'other';
    this.byPeer.set(counted, (this.byPeer.get(counted) ?? 0) + 1);
  }

  rejected(reason: Reason): void {
    this.byReason.set(reason, (this.byReason.get(reason) ?? 0) + 1);
  }

  /** Given to a replica of this node or to a peer, after so long a wait for either. */
  waited(seconds: number): void {
    this.waitTimes.observe(seconds);
  }

  /** A replica of this node answered to the end, in so long. */
  ran(seconds: number): void {
    this.runTimes.observe(seconds);
  }
}

export const planeInstruments = (gauges: PlaneGauges): PlaneInstruments => {
  const meters = new Map<FunctionKey, FunctionMeter>();
  let unknown = 0;

  return {
    meter: (key) => {
      let meter = meters.get(key);
      if (meter === undefined) {
        meter = new FunctionMeter();
        meters.set(key, meter);
      }
      return meter;
    },
    unknownFunction: () => {
      unknown += 1;
    },
    retain: (keys) => {
      const keep = new Set(keys);
      for (const key of meters.keys()) if (!keep.has(key)) meters.delete(key);
    },
    metrics: async () => [
      ...callMetrics([...meters], unknown),
      gauge('skein_requests_in_flight', 'Invocations running or waiting at this node.', gauges.inFlight()),
    ],
  };
};

type Metered = readonly (readonly [FunctionKey, FunctionMeter])[];

const callMetrics = (meters: Metered, unknown: number): readonly MetricJson[] => {
  const each = <Series>(of: (meter: FunctionMeter, labels: Labels) => readonly Series[]): readonly Series[] =>
    meters.flatMap(([function_name, meter]) => of(meter, { function_name }));
  const answered = each(({ byCode }, labels) =>
    [...byCode].map(
      ([code, tally]) => [tally, { ...labels, code: code === otherCode ? 'other' : String(code) }] as const,
    ),
  );
  const refused = each(({ byReason }, labels) =>
    [...byReason].map(([reason, count]) => [count, { ...labels, reason }] as const),
  );
  return [
    histogram('gateway_functions_seconds', 'Function time taken.', answered),
    counter(
      'gateway_function_invocation_total',
      'Function metrics.',
      answered.map(([tally, labels]) => [tally.count, labels]),
    ),
    counter(
      'gateway_function_invocation_started',
      'The total number of function HTTP requests started.',
      each(({ startedCount }, labels) => [[startedCount, labels]]),
    ),
    counter(
      'skein_requests_forwarded_total',
      'Invocations handed to a peer and accepted there.',
      each(({ byPeer }, labels) => [...byPeer].map(([peer, count]) => [count, { ...labels, peer }])),
    ),
    histogram(
      'skein_queue_wait_seconds',
      'How long calls waited at this node before a replica or a peer had them.',
      each(({ waitTimes }, labels) => [[waitTimes, labels]]),
    ),
    histogram(
      'skein_run_seconds',
      'How long replicas of this node took to answer, without what came before.',
      each(({ runTimes }, labels) => [[runTimes, labels]]),
    ),
    counter('skein_requests_rejected_total', 'Invocations refused or failed by the platform, by reason.', [
      ...refused,
      [unknown, { function_name: '', reason: 'unknown-function' }],
    ]),
  ];
};
