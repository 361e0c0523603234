import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { FunctionKey } from '../domain/ids.ts';
import type { Reason } from '../domain/reason.ts';

/**
 * What the data plane's process counts of requests. Names and labels are OpenFaaS' and DESIGN.md's; `function_name` is
 * always `NAME.NAMESPACE` of a function that the plan knows, so that callers cannot make series.
 */
export type PlaneInstruments = {
  /** The meter of a function; the same one each time until `retain` drops it. Only for functions of the plan. */
  meter(key: FunctionKey): FunctionMeter;
  /** A call for a name that nobody knows: counted without the name. */
  unknownFunction(): void;
  /** Drops the series of functions that are not among `keys`. */
  retain(keys: Iterable<FunctionKey>): void;
  /** For the node's `/metrics`: what `Observation.metrics` carries. */
  readonly metrics: () => Promise<readonly unknown[]>;
};

/** Counts the calls of one function. Labels are resolved once: a call costs about two microseconds in all. */
export type FunctionMeter = {
  started(): void;
  /** Answered, by whomever: the status that the client got, and the time since it was started. */
  finished(status: number, seconds: number): void;
  /** Handed to a peer and accepted there. `peer` is the peer's name. */
  forwarded(peer: string): void;
  rejected(reason: Reason): void;
  /** Given to a replica of this node or to a peer, after so long a wait for either. */
  waited(seconds: number): void;
  /** A replica of this node answered to the end, in so long. */
  ran(seconds: number): void;
};

export type PlaneGauges = {
  /** Invocations running or waiting now, read when the metrics are. */
  readonly inFlight: () => number;
};

/** Bounds of the label `peer` for one function; more are counted together as `other`. */
const maxPeers = 512;

export const planeInstruments = (gauges: PlaneGauges): PlaneInstruments => {
  const registry = new Registry();
  const counters = requestCounters(registry);
  const inFlight = new Gauge({
    name: 'skein_requests_in_flight',
    help: 'Invocations running or waiting at this node.',
    registers: [registry],
  });
  const meters = new Map<FunctionKey, Meter>();
  const unknown = counters.rejected.labels({ function_name: '', reason: 'unknown-function' });

  return {
    meter: (key) => {
      const known = meters.get(key);
      if (known !== undefined) return known;
      const meter = createMeter(counters, key);
      meters.set(key, meter);
      return meter;
    },
    unknownFunction: () => unknown.inc(),
    retain: (keys) => {
      const keep = new Set(keys);
      for (const [key, meter] of meters) {
        if (keep.has(key)) continue;
        meters.delete(key);
        meter.drop();
      }
    },
    metrics: () => {
      inFlight.set(gauges.inFlight());
      return registry.getMetricsAsJSON();
    },
  };
};

type Counters = ReturnType<typeof requestCounters>;
type Meter = FunctionMeter & { drop(): void };

const requestCounters = (registry: Registry) => {
  const registers = [registry];
  return {
    seconds: new Histogram({
      name: 'gateway_functions_seconds',
      help: 'Function time taken.',
      labelNames: ['function_name', 'code'] as const,
      registers,
    }),
    total: new Counter({
      name: 'gateway_function_invocation_total',
      help: 'Function metrics.',
      labelNames: ['function_name', 'code'] as const,
      registers,
    }),
    started: new Counter({
      name: 'gateway_function_invocation_started',
      help: 'The total number of function HTTP requests started.',
      labelNames: ['function_name'] as const,
      registers,
    }),
    forwarded: new Counter({
      name: 'skein_requests_forwarded_total',
      help: 'Invocations handed to a peer and accepted there.',
      labelNames: ['function_name', 'peer'] as const,
      registers,
    }),
    waited: new Histogram({
      name: 'skein_queue_wait_seconds',
      help: 'How long calls waited at this node before a replica or a peer had them.',
      labelNames: ['function_name'] as const,
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    ran: new Histogram({
      name: 'skein_run_seconds',
      help: 'How long replicas of this node took to answer, without what came before.',
      labelNames: ['function_name'] as const,
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    rejected: new Counter({
      name: 'skein_requests_rejected_total',
      help: 'Invocations refused or failed by the platform, by reason.',
      labelNames: ['function_name', 'reason'] as const,
      registers,
    }),
  };
};

/** A function that is dropped while calls run may still be counted by them; `dropped` keeps its series from returning. */
const createMeter = (counters: Counters, function_name: FunctionKey): Meter => {
  const started = counters.started.labels({ function_name });
  const waited = counters.waited.labels({ function_name });
  const ran = counters.ran.labels({ function_name });
  const byCode = new Map<string, (seconds: number) => void>();
  const byPeer = new Map<string, () => void>();
  const byReason = new Map<Reason, () => void>();
  let dropped = false;

  const answered = (code: string) => {
    const seconds = counters.seconds.labels({ function_name, code });
    const total = counters.total.labels({ function_name, code });
    return (value: number) => {
      seconds.observe(value);
      total.inc();
    };
  };
  const sentTo = (peer: string) => {
    const counter = counters.forwarded.labels({ function_name, peer });
    return () => counter.inc();
  };
  const refused = (reason: Reason) => {
    const counter = counters.rejected.labels({ function_name, reason });
    return () => counter.inc();
  };

  return {
    started: () => {
      if (!dropped) started.inc();
    },
    finished: (status, seconds) => {
      if (!dropped) remembered(byCode, codeLabel(status), answered)(seconds);
    },
    forwarded: (peer) => {
      if (!dropped) remembered(byPeer, byPeer.size < maxPeers || byPeer.has(peer) ? peer : 'other', sentTo)();
    },
    rejected: (reason) => {
      if (!dropped) remembered(byReason, reason, refused)();
    },
    waited: (seconds) => {
      if (!dropped) waited.observe(seconds);
    },
    ran: (seconds) => {
      if (!dropped) ran.observe(seconds);
    },
    drop: () => {
      dropped = true;
      counters.waited.remove({ function_name });
      counters.ran.remove({ function_name });
      counters.started.remove({ function_name });
      for (const code of byCode.keys()) {
        counters.seconds.remove({ function_name, code });
        counters.total.remove({ function_name, code });
      }
      for (const peer of byPeer.keys()) counters.forwarded.remove({ function_name, peer });
      for (const reason of byReason.keys()) counters.rejected.remove({ function_name, reason });
    },
  };
};

const remembered = <Key, Value>(map: Map<Key, Value>, key: Key, make: (key: Key) => Value): Value => {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make(key);
  map.set(key, made);
  return made;
};

/** Functions choose their status: what is no HTTP status must not make series without end. */
const codeLabel = (status: number): string =>
  Number.isInteger(status) && status >= 100 && status <= 599 ? String(status) : 'other';
