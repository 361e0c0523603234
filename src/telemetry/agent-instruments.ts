import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { FunctionKey } from '../domain/ids.ts';
import type { NodeUsage } from './node.ts';

/** What the agent's process tells of the node; `process_*` and `nodejs_*` are the agent's own. */
export type AgentInstruments = {
  /** Ready replicas at this node by function; series of functions that are not named end. */
  replicas(counts: Iterable<readonly [FunctionKey, number]>): void;
  slots(count: number): void;
  /** Seconds since each peer was last heard, by the peer's name; series of peers that are not named end. */
  viewAges(ages: Iterable<readonly [peer: string, seconds: number]>): void;
  planChanged(): void;
  /** From the wish for a replica to its readiness. */
  coldStart(seconds: number): void;
  usage(usage: NodeUsage): void;
  /** Undefined where it is not measured: then there is no such metric. */
  power(watts: number | undefined): void;
  /** In the form of prom-client's `getMetricsAsJSON`: a source of `serveMetrics`. */
  readonly metrics: () => Promise<readonly unknown[]>;
};

/** Seconds; a start from the pool takes tens of milliseconds, a big program several seconds. */
const coldStartBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const powerName = 'skein_node_power_watts';

export const agentInstruments = (): AgentInstruments => {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const serviceCount = new Gauge({
    name: 'gateway_service_count',
    help: 'Ready replicas at this node.',
    labelNames: ['function_name'] as const,
    registers,
  });
  const viewAge = new Gauge({
    name: 'skein_view_age_seconds',
    help: 'Time since a peer was last heard.',
    labelNames: ['peer'] as const,
    registers,
  });
  const slots = new Gauge({
    name: 'skein_capacity_slots',
    help: 'Invocations that this node runs at once.',
    registers,
  });
  const planChanges = new Counter({
    name: 'skein_plan_changes_total',
    help: 'Plans given to the data plane.',
    registers,
  });
  const coldStart = new Histogram({
    name: 'skein_cold_start_seconds',
    help: 'Time from the wish for a replica to its readiness.',
    buckets: coldStartBuckets,
    registers,
  });
  const cpu = new Gauge({
    name: 'skein_node_cpu_ratio',
    help: 'Part of the processors in use, 0 to 1.',
    registers,
  });
  const memory = new Gauge({ name: 'skein_node_memory_bytes', help: 'Memory in use.', registers });
  const setPower = (watts: number | undefined): void => {
    if (watts === undefined) return registry.removeSingleMetric(powerName);
    const known = registry.getSingleMetric(powerName) as Gauge | undefined;
    // A gauge is 0 from its making, which nobody measured.
    const gauge = known ?? new Gauge({ name: powerName, help: 'Power that the machine draws.', registers });
    gauge.set(watts);
  };

  return {
    replicas: (counts) => {
      serviceCount.reset();
      for (const [function_name, count] of counts) serviceCount.set({ function_name }, count);
    },
    slots: (count) => slots.set(count),
    viewAges: (ages) => {
      viewAge.reset();
      for (const [peer, seconds] of ages) viewAge.set({ peer }, seconds);
    },
    planChanged: () => planChanges.inc(),
    coldStart: (seconds) => coldStart.observe(seconds),
    usage: (usage) => {
      cpu.set(usage.cpuRatio);
      memory.set(usage.memoryUsedBytes);
    },
    power: setPower,
    metrics: () => registry.getMetricsAsJSON(),
  };
};
