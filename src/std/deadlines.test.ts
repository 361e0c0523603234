import { describe, expect, it } from 'vitest';
import { ManualClock } from './clock.ts';
import { Deadlines, type Timed } from './deadlines.ts';
import { seeded } from './random.ts';

type Named = Timed & { readonly name: string };
const named = (name: string, endsAt: number): Named => ({ name, endsAt, place: -1 });

const watched = () => {
  const clock = new ManualClock();
  const told: string[] = [];
  return { clock, told, deadlines: new Deadlines<Named>(clock, ({ name }) => told.push(name)) };
};

describe('deadlines', () => {
  it('are told once, none before its time, those that were removed never', () => {
    const { clock, told, deadlines } = watched();
    const early = named('early', 100);
    const late = named('late', 5_000);
    const gone = named('gone', 200);
    for (const item of [late, gone, early, named('never', Infinity)]) deadlines.add(item);
    deadlines.remove(gone);
    deadlines.remove(gone);
    clock.advance(99);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(['early']);
    deadlines.remove(early);
    clock.advance(4_899);
    expect(told).toEqual(['early']);
    clock.advance(1);
    expect(told).toEqual(['early', 'late']);
    clock.advance(1e9);
    expect(told).toEqual(['early', 'late']);
  });

  it('hold for any order of adding and removing, within a few milliseconds', () => {
    const random = seeded(7);
    const clock = new ManualClock();
    const told = new Map<Named, number>();
    const deadlines = new Deadlines<Named>(clock, (item) => {
      expect(told.has(item)).toBe(false);
      told.set(item, clock.monotonic());
    });
    const kept = new Set<Named>();
    const removed = new Set<Named>();
    for (let step = 0; step < 3_000; step += 1) {
      const item = named(`${step}`, clock.monotonic() + Math.floor(random() * 2_000));
      deadlines.add(item);
      kept.add(item);
      const [other] = [...kept].slice(Math.floor(random() * kept.size));
      if (random() < 0.6 && other !== undefined && !told.has(other)) {
        deadlines.remove(other);
        kept.delete(other);
        removed.add(other);
      }
      if (random() < 0.5) clock.advance(Math.floor(random() * 20));
    }
    clock.advance(3_000);
    expect([...removed].filter((item) => told.has(item))).toEqual([]);
    for (const item of kept) {
      const late = (told.get(item) as number) - item.endsAt;
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThanOrEqual(5);
    }
  });

  it('may end others while they are told', () => {
    const clock = new ManualClock();
    const told: string[] = [];
    const other = named('other', 20);
    const deadlines: Deadlines<Named> = new Deadlines(clock, ({ name }) => {
      told.push(name);
      deadlines.remove(other);
      if (told.length < 3) deadlines.add(named(`${name}'`, clock.monotonic()));
    });
    deadlines.add(named('one', 10));
    deadlines.add(other);
    clock.advance(100);
    expect(told).toEqual(['one', "one'", "one''"]);
  });

  it('are silent once they are closed', () => {
    const { clock, told, deadlines } = watched();
    deadlines.add(named('one', 10));
    deadlines.close();
    clock.advance(100);
    expect(told).toEqual([]);
  });
});
