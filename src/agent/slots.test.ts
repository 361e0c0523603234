import { describe, expect, test } from 'vitest';
import { nothingObserved, type FunctionObservation, type Observation } from '../dataplanes/data-plane.ts';
import { functionKey } from '../domain/ids.ts';
import { Slots } from './slots.ts';

const key = functionKey('f');
const bounds = { min: 2, max: 64 };

/** Look number `look`: eighty calls a second that take 50 ms, and some that found no room. */
const observed = (look: number): Observation => {
  const f: FunctionObservation = {
    ...nothingObserved,
    ...{ inFlight: 1, serviceMs: 50, ran: look * 20, ranMs: look * 1_000, foundFull: look },
  };
  return { at: look * 250, since: 0, planVersion: 1, inFlight: 1, queued: 0, functions: { [key]: f }, peers: {} };
};

describe('slots', () => {
  test('that are configured never change', () => {
    const slots = new Slots({ slots: 8, measured: undefined });
    slots.adopt(3);
    for (let look = 0; look < 200; look += 1) expect(slots.look(observed(look))).toBe(false);
    expect([slots.inForce, slots.steady, slots.isPressed(key)]).toEqual([8, 8, false]);
  });

  test('that are measured grow where calls are turned away and none is slowed, and say when they change', () => {
    const slots = new Slots({ slots: 8, measured: bounds });
    let changes = 0;
    let before = slots.inForce;
    for (let look = 0; look < 200; look += 1) {
      const changed = slots.look(observed(look));
      expect(changed || slots.inForce === before).toBe(true);
      before = slots.inForce;
      if (changed) changes += 1;
    }
    expect(slots.steady).toBe(64);
    expect(changes).toBeGreaterThan(3);
  });

  test('that are measured go on from the plan of the agent before, within their bounds', () => {
    const slots = new Slots({ slots: 8, measured: bounds });
    slots.adopt(33);
    expect(slots.inForce).toBe(33);
    slots.adopt(1_000);
    expect(slots.inForce).toBe(64);
  });

  test('are announced once, and again when they changed by much', () => {
    const slots = new Slots({ slots: 8, measured: bounds });
    slots.announced(0);
    expect(slots.areNews(60_000)).toBe(false);
    for (let look = 0; look < 200; look += 1) slots.look(observed(look));
    expect(slots.areNews(60_000)).toBe(true);
    slots.announced(60_000);
    expect(slots.areNews(90_000)).toBe(false);
  });

  test('leave a function the bound of its replicas', () => {
    const slots = new Slots({ slots: 8, measured: bounds });
    expect([slots.limitOf(key, 0), slots.limitOf(key, 4)]).toEqual([0, 4]);
  });
});
