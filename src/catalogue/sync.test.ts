import { describe, expect, it } from 'vitest';
import { nodeId, type NodeId } from '../domain/ids.ts';
import type { Message } from '../membership/message.ts';
import { seeded } from '../std/random.ts';
import { bucketCount, digest } from './digest.ts';
import { empty, write } from './merge.ts';
import { periodMs, Sync, tickMs, type SyncEffect } from './sync.ts';

const peers = (count: number): readonly NodeId[] => Array.from({ length: count }, (_, n) => nodeId(`p${n}`));
const made = (): Sync => new Sync({ self: nodeId('me'), random: seeded(1), points: new Map() });
const ask: Message = { kind: 'digest', buckets: Array.from({ length: bucketCount }, () => 'f'.repeat(32)), ask: true };
const same: Message = { kind: 'digest', buckets: [...digest(empty)], ask: false };
const { state: one } = write(empty, nodeId('me'), 'x/a', 1, 1);

const asked = (effects: readonly SyncEffect[]): readonly NodeId[] =>
  effects.flatMap((effect) => (effect.kind === 'send' && effect.message.kind === 'digest' ? [effect.to] : []));

/** Lets time pass from `from` to `to`; whoever is asked answers that it holds the same, if `answering`. */
const run = (sync: Sync, from: number, to: number, answering = true): readonly { at: number; to: NodeId }[] => {
  const all: { at: number; to: NodeId }[] = [];
  for (let now = from; now < to; now += tickMs) {
    for (const peer of asked(sync.tick(empty, now))) {
      all.push({ at: now, to: peer });
      if (answering) sync.received(peer, same, empty, now);
    }
  }
  return all;
};

describe('Sync', () => {
  it('asks every newcomer once, one at a time, within seconds', () => {
    const sync = made();
    sync.membersChanged([...peers(50), nodeId('me')], 0);
    const all = run(sync, 0, 15_000);
    expect(new Set(all.map(({ to }) => to))).toEqual(new Set(peers(50)));
    expect(new Set(all.map(({ at }) => at)).size).toBe(all.length);
    expect(all.length).toBeLessThanOrEqual(51);
    expect(sync.behind).toBe(0);
  });

  it('does not ask a newcomer that compared itself in the meantime', () => {
    const sync = made();
    sync.membersChanged(peers(10), 0);
    for (const peer of peers(10)) sync.received(peer, same, empty, 1);
    expect(run(sync, 500, 3_000).length).toBeLessThanOrEqual(1);
  });

  it('asks one member each period, and all in turn, also when some never answer', () => {
    const sync = made();
    sync.membersChanged(peers(10), 0);
    run(sync, 0, 10_000, false);
    const all = run(sync, 10_000, 10_000 + 10 * periodMs, false);
    expect(all).toHaveLength(10);
    expect(new Set(all.map(({ to }) => to)).size).toBe(10);
  });

  it('goes on when the clock is set back: asks newcomers and each in turn, and answers', () => {
    const hourMs = 3_600_000;
    const sync = made();
    sync.membersChanged(peers(10), hourMs);
    run(sync, hourMs, hourMs + 10_000, false);
    const [first] = peers(1);
    sync.received(first!, ask, one, hourMs + 10_000);
    sync.membersChanged(peers(12), hourMs + 10_000);
    const all = run(sync, 0, 10 * periodMs, false);
    expect(new Set(all.map(({ to }) => to))).toEqual(new Set(peers(12)));
    expect(sync.received(first!, ask, one, 10 * periodMs)).not.toEqual([]);
  });

  it('forgets who is gone, and asks again when it is back', () => {
    const sync = made();
    sync.membersChanged(peers(1), 0);
    run(sync, 0, 1_000);
    sync.membersChanged([], 1_000);
    expect(sync.alive).toBe(0);
    expect(run(sync, 1_000, 1_000 + 3 * periodMs)).toEqual([]);
    sync.membersChanged(peers(1), 200_000);
    expect(run(sync, 200_000, 201_000)[0]?.to).toBe('p0');
  });

  it('answers with what differs and with its own digest, and with the records alone when not asked', () => {
    const sync = made();
    sync.membersChanged(peers(1), 0);
    const kinds = (effects: readonly SyncEffect[]): readonly string[] =>
      effects.map((effect) => (effect.kind === 'send' ? effect.message.kind : effect.kind));
    expect(kinds(sync.received(peers(1)[0]!, ask, one, 1_000))).toEqual(['records', 'digest']);
    expect(kinds(sync.received(peers(1)[0]!, { ...ask, ask: false }, one, 2_000))).toEqual(['records']);
  });

  it('holds one that asks too often, and all together, to a bound', () => {
    const sync = made();
    sync.membersChanged(peers(100), 0);
    let answers = 0;
    for (let now = 10_000; now < 11_000; now++) {
      answers += asked(sync.received(peers(1)[0]!, ask, one, now)).length;
    }
    expect(answers).toBeLessThanOrEqual(5);
    for (const peer of peers(100)) answers += asked(sync.received(peer, ask, one, 10_999)).length;
    expect(answers).toBe(20);
    expect(asked(sync.received(peers(1)[0]!, ask, one, 12_000))).toHaveLength(1);
  });

  it('ignores a digest made in another way, and messages of others', () => {
    const sync = made();
    sync.membersChanged(peers(1), 0);
    expect(sync.received(peers(1)[0]!, { kind: 'digest', buckets: ['x'], ask: true }, one, 1_000)).toEqual([]);
    expect(sync.received(peers(1)[0]!, { kind: 'strategy', strategy: 's', payload: 1 }, one, 1_000)).toEqual([]);
  });

  it('tells a write to all, and looks soon after whether it arrived', () => {
    const sync = made();
    sync.membersChanged(peers(20), 0);
    run(sync, 0, 10_000);
    const effects = sync.wrote([...one.records.values()], 10_000);
    expect(effects.map(({ kind }) => kind)).toEqual(['broadcast']);
    const looks = run(sync, 10_000, 12_000);
    expect(looks.length).toBeGreaterThanOrEqual(5);
    expect(looks.length).toBeLessThanOrEqual(6);
  });
});
