import { Counter, Gauge, Registry } from 'prom-client';
import type { Observation } from '../data-plane.ts';

/**
 * The node's own instruments, as far as HAProxy's counters tell them; response times and statuses are in HAProxy's
 * native exporter.
 */
export const haproxyMetrics = async (observed: Observation, reloads: number): Promise<readonly unknown[]> => {
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
  const structural = new Counter({
    name: 'skein_haproxy_reloads_total',
    help: 'Reloads of HAProxy by this agent.',
    registers: [...registers],
  });
  const outstanding = Object.values(observed.peers).reduce((sum, peer) => sum + peer.outstanding, 0);
  inFlight.set(observed.inFlight + observed.queued + outstanding);
  structural.inc(reloads);
  for (const [key, { rejected: reasons }] of Object.entries(observed.functions)) {
    for (const [reason, count] of Object.entries(reasons)) rejected.inc({ function_name: key, reason }, count ?? 0);
  }
  return registers[0].getMetricsAsJSON();
};
