import type { FunctionKey, NodeId } from '../../domain/ids.ts';
import type { View } from '../strategy.ts';

/** Requests per second, by function. */
export type Limits = { readonly [key: FunctionKey]: number };

/** What a node tells a peer in step 1: how much it will serve for that peer, of each function it hosts. */
export type RecalcMessage = { readonly to: NodeId; readonly limits: Limits };

/** No node serves more of one function; a larger number, said or heard, is a mistake. Requests per second. */
export const largestRate = 1_000_000;

/**
 * The limits in a peer's message, for the functions of the view alone; undefined when it is not for this node or any
 * of those limits is no number in 0..`largestRate`.
 */
export const parseLimits = (message: unknown, view: View): Limits | undefined => {
  if (!isRecord(message) || message.to !== view.self || !isRecord(message.limits)) return undefined;
  const limits: [string, number][] = [];
  for (const key of Object.keys(view.functions)) {
    if (!Object.hasOwn(message.limits, key)) continue;
    const limit = message.limits[key];
    if (!isRate(limit)) return undefined;
    limits.push([key, limit]);
  }
  return Object.fromEntries(limits);
};

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** NaN compares false to everything. */
const isRate = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= largestRate;
