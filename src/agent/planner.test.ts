import { expect, it } from 'vitest';
import type { Plan } from '../routing/plan.ts';
import { systemClock as clock } from '../std/clock.ts';
import { silentLog as log } from '../telemetry/log.ts';
import { Planner } from './planner.ts';

const planOf = (version: number): Plan => ({
  version,
  node: { id: 'a' as never, name: 'node-1' },
  slots: 1,
  draining: false,
  peers: [],
  functions: {},
});

const plannerOf = (apply: (plan: Plan) => Promise<void>): { readonly planner: Planner; readonly taken: number[] } => {
  const taken: number[] = [];
  const planner: Planner = new Planner({
    dataPlane: { apply },
    clock,
    log,
    compose: planOf,
    onTaken: () => taken.push(planner.version),
  });
  return { planner, taken };
};

it('makes one plan of changes that come together, and none before it has begun', async () => {
  const { planner, taken } = plannerOf(() => Promise.resolve());
  planner.adopt(7, undefined);
  planner.want();
  await planner.settled();
  expect(taken).toEqual([]);
  await planner.begin();
  planner.want();
  planner.want();
  await planner.settled();
  expect(taken).toEqual([8, 9]);
  expect(planner.inForce?.version).toBe(9);
});

it('makes the next plan only when the last one is in force, with all that changed meanwhile', async () => {
  const gates: (() => void)[] = [];
  const { planner, taken } = plannerOf(() => new Promise((resolve) => gates.push(resolve)));
  const begun = planner.begin();
  await expect.poll(() => gates.length).toBe(1);
  const renewed = planner.renewed();
  planner.want();
  gates[0]!();
  await expect.poll(() => gates.length).toBe(2);
  gates[1]!();
  await Promise.all([begun, renewed]);
  expect(taken).toEqual([1, 2]);
});

it.each([1, 2, 3, 4, 5, 6])(
  'makes a plan of a change that comes %i steps after the data plane took the last one',
  async (steps) => {
    const later = (left: number): void => (left === 0 ? planner.want() : queueMicrotask(() => later(left - 1)));
    const { planner, taken } = plannerOf((plan) => {
      if (plan.version === 1) later(steps);
      return Promise.resolve();
    });
    await planner.begin();
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toEqual([1, 2]);
  },
);

it('has another plan for a data plane that did not take one, when that answers', async () => {
  let fails = true;
  const { planner, taken } = plannerOf(() => (fails ? Promise.reject(new Error('busy')) : Promise.resolve()));
  await planner.begin();
  expect(planner.inForce).toBeUndefined();
  fails = false;
  planner.answered();
  await planner.settled();
  planner.answered();
  await planner.settled();
  expect(taken).toEqual([2]);
});

it('keeps nobody waiting once it is stopped', async () => {
  const { planner } = plannerOf(() => new Promise(() => {}));
  void planner.begin();
  const waiting = planner.renewed();
  planner.stop();
  await waiting;
  await planner.renewed();
});
