import { Counter, Gauge, Registry } from 'prom-client';
import type { PeerPlan } from '../../routing/plan.ts';
import type { Observation } from '../data-plane.ts';

export type MetricsFacts = {
  readonly observed: Observation;
  /** Of the plan. */
  readonly peers: readonly PeerPlan[];
  readonly reloads: number;
};

/**
 * The node's own instruments, as far as HAProxy's counters tell them. Times and statuses are in HAProxy's native exporter, and with
 * what is told of calls (`call-telling.ts`).
 */
export const haproxyMetrics = async ({ observed, peers, reloads }: MetricsFacts): Promise<readonly unknown[]> => {
  const registers = [new Registry()] as const;
  const inFlight = new Gauge({
    name: 'skein_requests_in_flight',
    help: 'Invocations running or waiting at this node.',
    registers: [...registers],
  });
  const rejected = new Counter({
    name: 'skein_requests_rejected_total',
    help: 'Calls that were refused.',
    labelNames: ['function_name', 'reason'] as const,
    registers: [...registers],
  });
  const started = new Counter({
    name: 'gateway_function_invocation_started',
    help: 'The total number of function HTTP requests started.',
    labelNames: ['function_name'] as const,
    registers: [...registers],
  });
  const handedOn = new Counter({
    name: 'skein_requests_forwarded_total',
    help: 'Invocations handed to a peer and accepted there.',
    labelNames: ['function_name', 'peer'] as const,
    registers: [...registers],
  });
  const structural = new Counter({
    name: 'skein_haproxy_reloads_total',
    help: 'Reloads of HAProxy by this agent.',
    registers: [...registers],
  });
  const outstanding = sum(Object.values(observed.peers).map((peer) => peer.outstanding));
  inFlight.set(observed.inFlight + observed.queued + outstanding);
  structural.inc(reloads);
  for (const [function_name, { rejected: reasons, entered, received, forwarded }] of Object.entries(
    observed.functions,
  )) {
    started.inc({ function_name }, sum(Object.values(received), entered));
    for (const [reason, count] of Object.entries(reasons)) rejected.inc({ function_name, reason }, count ?? 0);
    for (const { id, name: peer } of peers) {
      if (forwarded[id] !== undefined) handedOn.inc({ function_name, peer }, forwarded[id]);
    }
  }
  return registers[0].getMetricsAsJSON();
};

const sum = (counts: readonly number[], more = 0): number => counts.reduce((total, count) => total + count, more);
