import { sharesOf } from '../autoscaler/shares.ts';
import { codeOf, messageOf, SkeinError } from '../domain/errors.ts';
import type { FunctionRef } from '../domain/function.ts';
import type { Clock } from '../std/clock.ts';
import type { Answers, Home } from './ask.ts';
import type { ScaledNow, ScaleOutcome, ScaleWish } from './needs.ts';
import { within } from './within.ts';

/** A replica that starts from nothing may take this long. */
const scaleMs = 25_000;

/**
 * Brings the replicas of all nodes at which a function lives, and which answered, to what `wanted` says; undefined changes nothing.
 * More than the function begins with is held; else it is left to the load. `unavailable` when no such node answered, or names
 * those that did not get there.
 */
export const scaleAll = async (
  ref: FunctionRef,
  { homes: homesOf, unreachable }: Answers,
  wanted: (now: ScaledNow) => number | undefined,
  clock: Pick<Clock, 'after'>,
): Promise<ScaleOutcome> => {
  const homes = homesOf(ref);
  if (homes.length === 0) {
    throw new SkeinError('unavailable', `no node where ${ref.name} lives answered: try again when one is back`);
  }
  const present = sum(homes.map(({ replicas }) => replicas));
  const total = wanted({ replicas: present, nodes: homes.length });
  if (total === undefined) return { replicas: present, unreachable };
  const shares = sharesOf(total, homes);
  const held = total > sum(homes.map(({ usual }) => usual));
  const outcomes = await Promise.allSettled(
    homes.map((home, index) => scaleAt(home, ref, { replicas: shares[index] ?? 0, held }, clock)),
  );
  const failures = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ name: homes[index]!.name, error: outcome.reason as unknown }] : [],
  );
  if (failures.length > 0) throw notScaled(ref, failures);
  return { replicas: sum(shares), unreachable };
};

const scaleAt = async ({ host }: Home, ref: FunctionRef, wish: ScaleWish, clock: Pick<Clock, 'after'>): Promise<void> =>
  within(scaleMs, clock, (signal) => host.scale(ref, wish, signal), 'it did not get there');

type Failure = { readonly name: string; readonly error: unknown };

const notScaled = ({ name }: FunctionRef, failures: readonly Failure[]): SkeinError => {
  const [first] = failures.map(({ error }) => codeOf(error));
  const alike = failures.every(({ error }) => codeOf(error) === first);
  const said = failures.map((failure) => `at ${failure.name}: ${messageOf(failure.error)}`).join('; ');
  return new SkeinError(alike && first !== undefined ? first : 'unavailable', `${name} is not scaled ${said}`);
};

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
