import type { Routes } from '../routing/plan.ts';
import { routeIfChanged } from './routes.ts';
import type { Strategy, View } from './strategy.ts';

export type ViewOnlyState = { readonly view: View; readonly routes: Routes | null };

/** A strategy whose routes follow from the last view alone: no messages, no periods, effects only on change. */
export const viewOnly = (name: string, routesOf: (view: View) => Routes): Strategy<ViewOnlyState> => ({
  name,
  start: (view) => ({ view, routes: null }),
  step: (state, event) => {
    if (event.kind === 'received') return { state, effects: [] };
    const view = event.kind === 'viewed' ? event.view : state.view;
    const routes = routesOf(view);
    return { state: { view, routes }, effects: routeIfChanged(state.routes, routes) };
  },
});
