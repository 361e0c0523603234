import { describe, expect, it } from 'vitest';
import { functionKey } from '../../../domain/ids.ts';
import { nodePlace, waitingPlace } from '../../../routing/places.ts';
import { eventually } from '../../calls.testing.ts';
import { SharedMemory } from './shared-memory.ts';
import { SharedPlaces } from './shared-places.ts';
import { SharedTurns } from './shared-turns.ts';

const [f, g] = [functionKey('f'), functionKey('g')];

const open = () => {
  const memory = SharedMemory.create(2);
  const woken = [0, 0];
  const [one, other] = [0, 1].map((thread) => {
    const places = new SharedPlaces(memory, thread);
    places.learn({
      added: [[nodePlace, 0], ...[f, g].map((key, index) => [waitingPlace(key), index + 1] as const)],
      removed: [],
    });
    const onRoom = (): void => {
      woken[thread] = (woken[thread] as number) + 1;
    };
    return new SharedTurns({ memory, places, thread, onRoom });
  }) as [SharedTurns, SharedTurns];
  return { one, other, woken };
};

describe('turns among threads', () => {
  it('go by who has waited longer for the same function, where it is worth a mention', () => {
    const { one, other } = open();
    one.tell(f, 1_000, false);
    expect([other.isFirst(f, 1_005), other.isFirst(f, 1_100), other.isFirst(f, 900)]).toEqual([true, false, true]);
    expect([other.isFirst(g, 1_100), one.isFirst(f, 1_100)]).toEqual([true, true]);
    one.tell(f, undefined, false);
    expect(other.isFirst(f, 1_100)).toBe(true);
  });

  it('go by who has waited longer for a slot, whatever the function', () => {
    const { one, other } = open();
    one.tell(f, 2_000, true);
    one.tell(g, 1_000, true);
    expect(other.isFirst(g, 1_500)).toBe(false);
    one.tell(g, undefined, false);
    expect(other.isFirst(g, 1_500)).toBe(true);
    expect(other.isFirst(g, 2_500)).toBe(false);
    one.tell(f, 2_000, false);
    expect([other.isFirst(g, 2_500), other.isFirst(f, 2_500)]).toEqual([true, false]);
  });

  it('go on when the clock has run for weeks', () => {
    const { one, other } = open();
    const weeks = 2 ** 31 - 50;
    one.tell(f, weeks, false);
    expect([other.isFirst(f, weeks + 100), other.isFirst(f, weeks - 100)]).toEqual([false, true]);
  });

  it('wake who waits, once there is room, and nobody else', async () => {
    const { one, other, woken } = open();
    one.freed();
    other.joined();
    other.freed();
    one.freed();
    await eventually(() => woken[1] === 1, 'the other is woken');
    one.freed();
    await eventually(() => woken[1] === 2, 'and again, while it waits');
    other.left();
    one.freed();
    one.joined();
    other.freed();
    await eventually(() => woken[0] === 1, 'the one is woken');
    expect(woken[1]).toBeLessThanOrEqual(3);
  });
});
