import { describe, expect, it } from 'vitest';
import { functionKey, nodeId } from '../domain/ids.ts';
import { localRoute } from '../routing/plan.ts';
import type { Route } from '../routing/plan.ts';
import { allLocal } from './all-local/all-local.ts';
import { leastLoaded } from './least-loaded/least-loaded.ts';
import { functionView } from './recalc/virtual-federation.ts';
import { fixedShares } from './static/static.ts';
import type { PeerView, Strategy, View } from './strategy.ts';

const burn = functionKey('burn');
const figlet = functionKey('figlet');

const peer = (id: string, changes: Partial<PeerView> = {}): PeerView => ({
  id: nodeId(id),
  functions: [burn],
  slots: 8,
  inFlight: 0,
  rttMs: 1,
  ageMs: 100,
  ...changes,
});

/** A node with peers; `burn` lives here or not. */
const viewOf = (here: boolean, peers: readonly PeerView[]): View => ({
  self: nodeId('node-1'),
  slots: 4,
  inFlight: 0,
  functions: {
    [burn]: functionView(here ? { userRate: 1, maxRate: 10 } : { userRate: 1 }),
    [figlet]: functionView({ userRate: 1, maxRate: 10 }),
  },
  peers,
});

const routesOf = (strategy: Strategy, view: View) => {
  const { effects } = strategy.step(strategy.start(view, { periodMs: 60_000 }), { kind: 'tick' }, { now: 0, random });
  const routed = effects.find((effect) => effect.kind === 'route');
  if (routed === undefined) throw new Error('no routes');
  return routed.routes;
};
const random = (): number => 0;
const sharesOf = (route: Route | undefined) => route?.peers.map(({ id, weight }) => [id, weight]);

describe('all-local', () => {
  it('keeps every function here and admits no peer', () => {
    const routes = routesOf(allLocal, viewOf(true, [peer('node-2')]));
    expect(routes).toEqual({ [burn]: localRoute, [figlet]: localRoute });
  });
});

describe('static', () => {
  it('keeps 60 of a hundred here and shares 40 equally over the peers that host the function', () => {
    const view = viewOf(true, [peer('node-3'), peer('node-2'), peer('node-4', { functions: [] })]);
    const routes = routesOf(fixedShares, view);
    expect(routes[burn]).toMatchObject({ policy: 'weighted', local: { weight: 60 }, admission: { peers: {} } });
    expect(sharesOf(routes[burn])).toEqual([
      ['node-2', 20],
      ['node-3', 20],
    ]);
    expect(routes[figlet]).toMatchObject({ local: { weight: 100 }, peers: [] });
  });

  it('shares a function that only peers have wholly over them', () => {
    const route = routesOf(fixedShares, viewOf(false, [peer('node-2'), peer('node-3')]))[burn];
    expect(route?.local.weight).toBe(0);
    expect(sharesOf(route)).toEqual([
      ['node-2', 50],
      ['node-3', 50],
    ]);
  });

  it('still shares with a thousand peers, and all shares make a hundred', () => {
    const peers = Array.from({ length: 1000 }, (_, index) => peer(`node-${index + 2}`));
    const shares = routesOf(fixedShares, viewOf(true, peers))[burn]?.peers.map(({ weight }) => weight) ?? [];
    expect(Math.min(...shares)).toBeGreaterThan(0);
    expect(shares.reduce((sum, weight) => sum + weight, 60)).toBeCloseTo(100, 9);
  });
});

describe('least-loaded', () => {
  it('names hosts with slots that were heard of lately, weighted by their slots', () => {
    const peers = [
      peer('node-2', { slots: 16 }),
      peer('node-3', { ageMs: 5001 }),
      peer('node-4', { functions: [figlet], slots: 2 }),
      peer('node-5', { slots: 0 }),
      peer('node-6', { ageMs: 5000 }),
    ];
    const routes = routesOf(leastLoaded, viewOf(true, peers));
    expect(routes[burn]).toMatchObject({ policy: 'least-loaded', local: { weight: 1 }, admission: { peers: {} } });
    expect(sharesOf(routes[burn])).toEqual([
      ['node-2', 16],
      ['node-6', 8],
    ]);
    expect(sharesOf(routes[figlet])).toEqual([['node-4', 2]]);
  });

  it('serves nothing here of a function that does not live here', () => {
    expect(routesOf(leastLoaded, viewOf(false, [peer('node-2')]))[burn]?.local.weight).toBe(0);
  });

  it('waits longer for news where many members take turns', () => {
    const peers = Array.from({ length: 199 }, (_, index) => peer(`node-${index + 2}`, { ageMs: 9000 }));
    expect(routesOf(leastLoaded, viewOf(true, peers))[burn]?.peers).toHaveLength(199);
  });
});
