import { describe, expect, it } from 'vitest';
import type { NodeId } from '../../domain/ids.ts';
import { ManualClock } from '../../std/clock.ts';
import { seeded } from '../../std/random.ts';
import { silentLog } from '../../telemetry/log.ts';
import { createIdentity, nodeIdOfPublicKey } from '../identity.ts';
import { membershipConformance, type MembershipFixture } from '../membership.conformance.ts';
import { MemoryMembership } from './memory-membership.ts';
import { MemoryNetwork, type Conditions } from './memory-network.ts';

const open = (): MembershipFixture => {
  const clock = new ManualClock();
  const network = new MemoryNetwork({ clock, random: seeded(1) });
  return {
    make: (identity) => new MemoryMembership({ clock, log: silentLog, network, identity }),
    inject: async (to, payloads) => {
      const from = createIdentity().id;
      for (const bytes of payloads) network.send(from, to.self, { kind: 'message', bytes });
    },
    until: async (condition) => {
      for (let step = 0; step < 1000 && !condition(); step++) clock.advance(10);
      expect(condition()).toBe(true);
    },
    close: async () => {},
  };
};

membershipConformance('MemoryMembership', open);

const ids = Array.from({ length: 4 }, (_, n) => nodeIdOfPublicKey(n.toString(16).padStart(64, '0')));

type World = { clock: ManualClock; network: MemoryNetwork; members: MemoryMembership[]; heard: string[] };

const world = async (seed: number, conditions: Partial<Conditions>): Promise<World> => {
  const clock = new ManualClock();
  const network = new MemoryNetwork({ clock, random: seeded(seed), conditions });
  const members = ids.map((id) => new MemoryMembership({ clock, log: silentLog, network, identity: { id } }));
  const heard: string[] = [];
  for (const member of members) {
    await member.start();
    member.onMessage((_, message) => {
      heard.push(`${clock.now()} ${member.self} ${message.kind === 'strategy' ? String(message.payload) : ''}`);
    });
  }
  clock.advance(3000);
  return { clock, network, members, heard };
};

const alive = (member: MemoryMembership | undefined): readonly NodeId[] =>
  member?.members().flatMap(({ id, state }) => (state === 'alive' ? [id] : [])) ?? [];

describe('a memory network', () => {
  const say = async ({ members, clock, heard }: World, times: number): Promise<string[]> => {
    for (let n = 0; n < times; n++) await members[0]?.broadcast({ kind: 'strategy', strategy: 's', payload: n });
    clock.advance(1000);
    return heard;
  };

  const bad: Partial<Conditions> = {
    delayMs: { min: 1, max: 200 },
    lossRate: 0.2,
    duplicateRate: 0.2,
    reorder: true,
  };

  it('is the same again from the same seed, and another from another', async () => {
    const first = await say(await world(7, bad), 50);
    expect(await say(await world(7, bad), 50)).toEqual(first);
    expect(await say(await world(8, bad), 50)).not.toEqual(first);
  });

  it('loses, repeats and reorders as it is told', async () => {
    const count = async (conditions: Partial<Conditions>): Promise<number> =>
      (await say(await world(3, conditions), 200)).length;
    expect(await count({})).toBe(600);
    expect(await count({ lossRate: 0.5 })).toBeLessThan(400);
    expect(await count({ duplicateRate: 1 })).toBe(1200);
    const payloads = async (reorder: boolean): Promise<string[]> =>
      (await say(await world(3, { delayMs: { min: 1, max: 200 }, reorder }), 100))
        .filter((line) => line.includes(ids[1] ?? '?'))
        .map((line) => line.split(' ')[2] ?? '');
    const inOrder = Array.from({ length: 100 }, (_, n) => `${n}`);
    expect(await payloads(false)).toEqual(inOrder);
    expect(await payloads(true)).not.toEqual(inOrder);
    expect((await payloads(true)).toSorted((a, b) => Number(a) - Number(b))).toEqual(inOrder);
  });

  it('parts into groups that lose sight of each other, and heals', async () => {
    const { clock, network, members } = await world(1, {});
    expect(alive(members[0])).toHaveLength(3);
    network.partition([ids.slice(0, 2), ids.slice(2)]);
    clock.advance(5000);
    expect(alive(members[0])).toEqual([ids[1]]);
    expect(alive(members[3])).toEqual([ids[2]]);
    network.heal();
    clock.advance(1000);
    expect(alive(members[0])).toHaveLength(3);
  });

  it('takes as long as its delay says', async () => {
    const { members } = await world(1, { delayMs: { min: 40, max: 40 } });
    expect(members[0]?.members()[0]?.rttMs).toBe(80);
  });
});
