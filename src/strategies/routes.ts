import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Route, Routes } from '../routing/plan.ts';
import type { FunctionView, PeerView, StrategyEffect, View } from './strategy.ts';

/** What every strategy needs to turn a view into routes. All of it is pure. */

/** The peers of the view that host `key`, by id; never this node itself. */
export const hostsOf = (view: View, key: FunctionKey): readonly PeerView[] =>
  view.peers
    .filter((peer) => peer.id !== view.self && peer.functions.includes(key))
    .sort((a, b) => (a.id < b.id ? -1 : 1));

/** One route for each function of the view. */
export const routeEach = (view: View, routeOf: (key: FunctionKey, seen: FunctionView) => Route): Routes =>
  forEach(view.functions, routeOf);

/** A record of the same functions with other values. */
export const forEach = <A, B>(
  record: { readonly [key: FunctionKey]: A },
  change: (key: FunctionKey, value: A) => B,
): { readonly [key: FunctionKey]: B } =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(key as FunctionKey, value)]));

/** The `route` effect, or nothing when `routes` is what was emitted last. */
export const routeIfChanged = (last: Routes | null, routes: Routes): readonly StrategyEffect[] =>
  last !== null && same(last, routes) ? [] : [{ kind: 'route', routes }];

/** Whether two JSON values are equal, whatever the order of their keys. */
const same = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key)))
  );
};

/** Reads a record that has ids for keys: never finds what objects inherit (`constructor`). */
export const own = <T>(record: { readonly [key: string]: T }, key: FunctionKey | NodeId): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
