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
  /** Requests per second at this node; 0 = no bound. */
  readonly maxRate: number;
  /** `dfaas.timeout_ms`, else what `exec_timeout` needs; undefined = the node's own. */
  readonly timeoutMs: number | undefined;
};

/** A call may be on its way for this much longer than its function runs: the one who knows why time ran out answers first. */
const onTheWayMs = 500;

/**
 * `com.openfaas.scale.min` says how many replicas stay. Where it is not given one is started at deployment, as OpenFaaS
 * does, and goes when it is idle; with `0` the first call starts it.
 */
export const settingsOf = ({ labels, envVars }: FunctionDeployment): FunctionSettings => {
  const min = numberOf(labels?.['com.openfaas.scale.min']);
  return {
    min: min ?? 0,
    first: min ?? 1,
    max: numberOf(labels?.['com.openfaas.scale.max']) ?? 0,
    perReplica: numberOf(envVars?.['max_inflight']) ?? 0,
    maxRate: numberOf(labels?.['dfaas.maxrate']) ?? 0,
    timeoutMs: numberOf(labels?.['dfaas.timeout_ms']) ?? execTimeoutOf(envVars?.['exec_timeout']),
  };
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
