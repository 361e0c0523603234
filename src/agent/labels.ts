import type { FunctionDeployment } from '../domain/function.ts';
import { parseSeconds } from '../std/duration.ts';

/** What labels and environment of a deployment mean to the node that runs it. They were checked when it was deployed. */
export type FunctionSettings = {
  /** Replicas that are always there. */
  readonly min: number;
  /** Replicas to start with. */
  readonly first: number;
  /** Replicas at most; 0 = the node's own bound. */
  readonly max: number;
  /** Invocations at once in one replica; 0 = no bound. */
  readonly perReplica: number;
  /** What one replica is meant to carry; undefined = the node's own measure. */
  readonly target: { readonly type: 'capacity' | 'rps'; readonly perReplica: number } | undefined;
  /** How long a replica that nobody calls is kept, milliseconds; undefined = the node's own. */
  readonly idleMs: number | undefined;
  /** Requests per second at this node; 0 = no bound. */
  readonly maxRate: number;
  /** `dfaas.timeout_ms`, else what `exec_timeout` needs; undefined = the node's own. */
  readonly timeoutMs: number | undefined;
};

/** A call may be on its way for this much longer than its function runs: the one who knows why time ran out answers first. */
const onTheWayMs = 500;

/**
 * `com.openfaas.scale.min` says how many replicas stay. Where it is not given one is started at deployment, as OpenFaaS
 * does, and goes when it is idle; with `0` the first call starts it. `com.openfaas.scale.zero: "false"` keeps one.
 * `com.openfaas.scale.target`, of `type` capacity (calls at once) or rps, times `target-proportion` (0.9) is what one
 * replica should carry.
 */
export const settingsOf = ({ labels, envVars }: FunctionDeployment): FunctionSettings => {
  const given = numberOf(labels?.['com.openfaas.scale.min']);
  const min = labels?.['com.openfaas.scale.zero'] === 'false' ? Math.max(1, given ?? 1) : given;
  return {
    min: min ?? 0,
    first: min ?? 1,
    target: targetOf(labels ?? {}),
    idleMs: parseSeconds(labels?.['com.openfaas.scale.zero-duration'] ?? ''),
    max: numberOf(labels?.['com.openfaas.scale.max']) ?? 0,
    perReplica: numberOf(envVars?.['max_inflight']) ?? 0,
    maxRate: numberOf(labels?.['dfaas.maxrate']) ?? 0,
    timeoutMs: numberOf(labels?.['dfaas.timeout_ms']) ?? execTimeoutOf(envVars?.['exec_timeout']),
  };
};

const targetOf = (labels: Readonly<Record<string, string>>): FunctionSettings['target'] => {
  const target = numberOf(labels['com.openfaas.scale.target']);
  if (target === undefined || target === 0) return undefined;
  const proportion = numberOf(labels['com.openfaas.scale.target-proportion']) ?? 0.9;
  const type = labels['com.openfaas.scale.type'] === 'rps' ? 'rps' : 'capacity';
  return { type, perReplica: Math.max(0.01, target * proportion) };
};

/** Seconds or a duration, as OpenFaaS' watchdogs read it; 0 and what makes no sense set no bound. */
const execTimeoutOf = (text: string | undefined): number | undefined => {
  const ms = parseSeconds(text ?? '') ?? 0;
  return ms > 0 ? ms + onTheWayMs : undefined;
};

const numberOf = (text: string | undefined): number | undefined => {
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
};
