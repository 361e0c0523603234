import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { call, eventually, saying } from './calls.testing.ts';
import type { DataPlane } from './data-plane.ts';
import { functionPlan, TestNode, type PlaneFacts } from './test-node.testing.ts';

/**
 * Starts nodes for single tests: each is stopped when its test is over. Tests that run beside each other hand in their own
 * `onFinished`.
 */
export const startsNodes =
  <Kind extends DataPlane>(open: (facts: PlaneFacts) => Promise<Kind>) =>
  async (
    name: string,
    changes: Partial<PlaneFacts> = {},
    onFinished: (stop: () => Promise<void>) => void = onTestFinished,
  ): Promise<TestNode<Kind>> => {
    const node = await TestNode.start(name, open, changes);
    onFinished(() => node.stop());
    return node;
  };

/** Of the process that wrote it down in a file of the node's folder. */
export const pidOf = (node: TestNode, file = 'plane.pid'): number =>
  Number(readFileSync(join(node.facts.folder, file), 'utf8'));

/**
 * Lets the agent of a node go, and begins the next one, which must find the counters and the address of the plane that went
 * on meanwhile with the function `kept`.
 */
export const adopted = async <Kind extends DataPlane>(
  node: TestNode<Kind>,
  open: (facts: PlaneFacts) => Promise<Kind>,
): Promise<Kind> => {
  await node.apply(4, { kept: functionPlan([await node.replica('kept', saying('yes'))]) });
  const { url } = node;
  const address = node.plane.address();
  await call(`${url}/function/kept`);
  await node.plane.release();
  expect((await call(`${url}/function/kept`)).body).toBe('yes');
  const next = await open(node.facts);
  await next.start();
  expect((await next.observe()).functions).toMatchObject({ 'kept.openfaas-fn': { served: 2 } });
  expect(next.address()).toEqual(address);
  return next;
};

/** Lets the agent of a node go while a call waits for a start, and looks where that and others go, until the next agent is there. */
export const startsWithoutAgent = async (
  start: (name: string) => Promise<TestNode>,
  open: (facts: PlaneFacts) => Promise<DataPlane>,
): Promise<void> => {
  const [a, b] = await Promise.all([start('a'), start('b')]);
  const { url } = a;
  const shared = functionPlan([await b.replica('shared', saying('from b'))]);
  await b.apply(4, { shared }, [a.asPeer(4)]);
  const peers = [{ id: b.id, weight: 1 }];
  const alone = functionPlan([], { canStart: true });
  await a.apply(4, { shared: functionPlan([], { canStart: true, peers }), alone }, [b.asPeer(4)]);
  const held = call(`${url}/function/shared`);
  await eventually(async () => (await a.observed('shared')).inFlight === 1, 'it is held for a start');
  await a.plane.release();
  expect(await held).toMatchObject({ body: 'from b', node: 'b' });
  expect(await call(`${url}/function/shared`)).toMatchObject({ body: 'from b', node: 'b' });
  const kept = call(`${url}/function/alone`);
  const next = await open(a.facts);
  const demanded = new Set<string>();
  next.onDemand(({ key }) => demanded.add(key));
  await next.start();
  const wanted = call(`${url}/function/shared`);
  await eventually(() => demanded.size === 2, 'the next agent hears of both');
  const here = { shared: functionPlan([await a.replica('s', saying('from a'))]) };
  await next.apply(a.plan(4, { ...here, alone: functionPlan([await a.replica('l', saying('at last'))]) }));
  expect([(await wanted).body, (await kept).body]).toEqual(['from a', 'at last']);
  await next.stop(0);
};

/** Kills the process of a plane, gives it a plan, and looks whether that is in force when it is said to be, and in the end. */
export const applyToKilled = async (node: TestNode): Promise<void> => {
  const plan = node.plan(4, { late: functionPlan([await node.replica('late', saying('late'))]) });
  const inForce = async (): Promise<boolean> => (await node.plane.observe()).planVersion === plan.version;
  const isGone = (): Promise<boolean> =>
    node.plane.observe().then(
      () => false,
      () => true,
    );
  process.kill(pidOf(node), 'SIGKILL');
  await eventually(isGone, 'the agent knows');
  const refused = await node.plane.apply(plan).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (refused === undefined) expect(await inForce()).toBe(true);
  else expect(refused).toMatchObject({ code: 'unavailable' });
  await eventually(() => inForce().catch(() => false), 'the plan is in force');
};

/** An agent of another version starts a data plane of its own in place of the one that went on, with the plan of that. */
export const replacedByAnotherVersion = async <Kind extends DataPlane & { readonly adopted: boolean }>(
  node: TestNode<Kind>,
  open: (facts: PlaneFacts) => Promise<Kind>,
): Promise<void> => {
  await node.apply(4, { kept: functionPlan([await node.replica('kept', saying('yes'))]) });
  const pid = pidOf(node);
  await node.plane.release();
  const next = await open({ ...node.facts, version: '2.0.0' });
  onTestFinished(() => next.stop(0));
  await next.start();
  expect([next.adopted, pidOf(node) === pid]).toEqual([false, false]);
  expect((await call(`http://127.0.0.1:${next.address().gateway.port}/function/kept`)).body).toBe('yes');
};
