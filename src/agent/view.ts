import type { FunctionKey } from '../domain/ids.ts';
import type { FunctionView, View } from '../strategies/strategy.ts';
import type { Hosted } from './hosted.ts';
import type { Neighbours } from './neighbours.ts';
import type { Rates } from './rates.ts';

export type ViewFacts = {
  readonly self: View['self'];
  readonly slots: number;
  readonly hosted: ReadonlyMap<FunctionKey, Hosted>;
  readonly rates: Rates;
  readonly neighbours: Neighbours;
  readonly replicas: (hosted: Hosted) => number;
  /** It lives here, and a call finds a replica or starts one. */
  readonly here: (hosted: Hosted) => boolean;
  readonly now: number;
};

/** What a strategy is shown. */
export const buildView = ({ self, slots, hosted, rates, neighbours, replicas, here, now }: ViewFacts): View => {
  const functions: Record<FunctionKey, FunctionView> = {};
  for (const function_ of hosted.values()) {
    const { key, settings } = function_;
    const observed = rates.latest?.functions[key];
    const rate = rates.of(key);
    functions[key] = {
      here: here(function_),
      ...(settings.maxRate > 0 && { maxRate: settings.maxRate }),
      userRate: rate.entered,
      localRate: rate.served,
      peerRates: rate.received,
      inFlight: observed?.inFlight ?? 0,
      serviceMs: observed?.serviceMs ?? 0,
      rejectedPerSecond: rate.rejected,
      replicas: replicas(function_),
    };
  }
  return { self, slots, inFlight: rates.latest?.inFlight ?? 0, functions, peers: neighbours.views(now) };
};
