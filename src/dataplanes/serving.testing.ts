import type { RequestListener } from 'node:http';
import type { FunctionPlan, ReplicaPlan } from '../routing/plan.ts';
import { eventually } from './calls.testing.ts';
import { functionPlan, type TestNode } from './test-node.testing.ts';

export type Nodes = () => { readonly a: TestNode; readonly b: TestNode; readonly c: TestNode };

export const places = ['here', 'through a peer'] as const;
export type Place = (typeof places)[number];

let count = 0;

/** Puts a function in force that is called at `a` and runs there, or at `b`; answers its address. */
export const serveAt = async (
  { a, b }: { readonly a: TestNode; readonly b: TestNode },
  where: Place,
  name: string,
  run: RequestListener | { readonly replica: (at: TestNode) => Promise<ReplicaPlan> },
  changes: Partial<FunctionPlan> = {},
): Promise<string> => {
  const at = where === 'here' ? a : b;
  const replica = 'replica' in run ? await run.replica(at) : await at.replica(`${name}-${(count += 1)}`, run);
  const there = functionPlan([replica], changes);
  if (where === 'here') await a.apply(8, { [name]: there });
  else {
    await b.apply(8, { [name]: there }, [a.asPeer(8)]);
    await a.apply(8, { [name]: functionPlan([], { ...changes, peers: [{ id: b.id, weight: 1 }] }) }, [b.asPeer(8)]);
  }
  return `${a.url}/function/${name}`;
};

/** Resolves when nothing runs or waits at the nodes any more. */
export const idle = async (...nodes: readonly TestNode[]): Promise<void> => {
  for (const node of nodes) {
    await eventually(async () => {
      const { inFlight, queued, peers } = await node.plane.observe();
      return inFlight + queued + Object.values(peers).reduce((sum, { outstanding }) => sum + outstanding, 0) === 0;
    }, 'nothing runs any more');
  }
};
