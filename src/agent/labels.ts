import type { FunctionDeployment } from '../domain/function.ts';
import { parseSeconds } from '../std/duration.ts';

/** What labels and environment of a deployment mean to the node that runs it. They were checked when it was deployed. */
export type FunctionSettings = {
  /** Replicas that are always there, or, where `zero` holds, as soon as somebody calls. */
  readonly min: number;
  /** Whether none is left when nobody called for a while. */
  readonly zero: boolean;
  /** Replicas to start with. */
  readonly first: number;
  /** Replicas at most; 0 = the node's own bound. */
  readonly max: number;
  /** Invocations at once in one replica; 0 = no bound. */
  readonly perReplica: number;
  /** What one replica is meant to carry; undefined = the node's own measure. */
  readonly target: ScaleTarget | undefined;
  /** How long the last replica is kept without a call, milliseconds; undefined = the node's own. */
  readonly idleMs: number | undefined;
  /** Requests per second at this node; 0 = no bound. */
  readonly maxRate: number;
  /** `dfaas.timeout_ms`, else what `exec_timeout` needs; undefined = the node's own. */
  readonly timeoutMs: number | undefined;
};

/** Calls at once (`capacity`), calls a second, thousandths of a core, or calls in the asynchronous queue. */
export type ScaleTarget = { readonly type: 'capacity' | 'rps' | 'cpu' | 'queue'; readonly perReplica: number };

/** A call may be on its way for this much longer than its function runs: the one who knows why time ran out answers first. */
const onTheWayMs = 500;

/**
 * `com.openfaas.scale.min` says how many replicas stay. Where it is not given one is started at deployment, as OpenFaaS
 * does, and goes when it is idle; with `0` the first call starts it. `com.openfaas.scale.zero` says whether the last may go:
 * `false` keeps one, `true` lets even a minimum go until somebody calls.
 */
export const settingsOf = ({ labels, envVars }: FunctionDeployment): FunctionSettings => {
  const given = numberOf(labels?.['com.openfaas.scale.min']);
  const zero = labels?.['com.openfaas.scale.zero'];
  const min = zero === 'false' ? Math.max(1, given ?? 1) : (given ?? 0);
  return {
    min,
    zero: zero === 'true' || min === 0,
    first: given === undefined ? Math.max(1, min) : min,
    target: targetOf(labels ?? {}),
    idleMs: parseSeconds(labels?.['com.openfaas.scale.zero-duration'] ?? ''),
    max: numberOf(labels?.['com.openfaas.scale.max']) ?? 0,
    perReplica: numberOf(envVars?.['max_inflight']) ?? 0,
    maxRate: numberOf(labels?.['dfaas.maxrate']) ?? 0,
    timeoutMs: numberOf(labels?.['dfaas.timeout_ms']) ?? execTimeoutOf(envVars?.['exec_timeout']),
  };
};

/** OpenFaaS' own. */
const defaults = { type: 'rps', target: 50, proportion: 0.9 } as const;

/** `com.openfaas.scale.target`, of the `type` named, times `target-proportion`; either of the first two asks for it. */
const targetOf = (labels: Readonly<Record<string, string>>): FunctionSettings['target'] => {
  const [target, type] = [labels['com.openfaas.scale.target'], labels['com.openfaas.scale.type']];
  if (target === undefined && type === undefined) return undefined;
  const whole = numberOf(target) || defaults.target;
  const proportion = numberOf(labels['com.openfaas.scale.target-proportion']) ?? defaults.proportion;
  return { type: isType(type) ? type : defaults.type, perReplica: Math.max(0.01, whole * proportion) };
};

const isType = (text: string | undefined): text is ScaleTarget['type'] =>
  text === 'capacity' || text === 'rps' || text === 'cpu' || text === 'queue';

/** As long as `dfaas.timeout_ms` may be. What is longer than a timer can wait would be over at once. */
const longestMs = 86_400_000;

/** Seconds or a duration, as OpenFaaS' watchdogs read it, at most a day; 0 and what makes no sense set no bound. */
const execTimeoutOf = (text: string | undefined): number | undefined => {
  const ms = parseSeconds(text ?? '') ?? 0;
  return ms > 0 ? Math.min(longestMs, ms + onTheWayMs) : undefined;
};

const numberOf = (text: string | undefined): number | undefined => {
  if (text === undefined || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : undefined;
};
