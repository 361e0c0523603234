import { describe, expect, it } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import { ManualClock } from '../std/clock.ts';
import { createIdentity, nodeIdOfPublicKey } from './identity.ts';
import { keptGoneMs, maxMembers, MemberTable } from './member-table.ts';
import { announcement } from './message.ts';

const self = createIdentity().id;
const other = createIdentity();
const hello = announcement.parse({ name: 'a', version: '1', slots: 4, peer: { host: '::1', port: 1 }, gateway: '' });

const open = (): { table: MemberTable; clock: ManualClock; changes: () => number } => {
  const clock = new ManualClock();
  const table = new MemberTable({ clock, self });
  let changes = 0;
  table.onChange(() => changes++);
  return { table, clock, changes: () => changes };
};

describe('the member table', () => {
  it('lists who was heard, with the key that belongs to the id', () => {
    const { table, clock } = open();
    table.heard(other.id, hello);
    expect(table.list()).toEqual([
      { id: other.id, publicKey: other.publicKeyHex, state: 'alive', lastSeen: clock.now(), announcement: hello },
    ]);
  });

  it('tells of comings, goings and news, and of nothing else', () => {
    const { table, changes } = open();
    table.heard(other.id);
    table.heard(other.id, hello);
    expect(changes()).toBe(2);
    table.heard(other.id, { ...hello });
    table.heard(other.id);
    table.measured(other.id, 3);
    expect(changes()).toBe(2);
    table.gone(other.id);
    table.gone(other.id);
    expect(changes()).toBe(3);
    table.heard(other.id);
    expect(changes()).toBe(4);
    expect(table.get(other.id)?.announcement).toEqual(hello);
  });

  it('lists the gone for ten minutes', () => {
    const { table, clock } = open();
    table.heard(other.id);
    table.gone(other.id);
    clock.advance(keptGoneMs);
    table.expire();
    expect(table.list()).toHaveLength(1);
    clock.advance(1);
    table.expire();
    expect(table.list()).toHaveLength(0);
  });

  it('lets neither itself nor nonsense in', () => {
    const { table } = open();
    expect(table.heard(self)).toBe(false);
    expect(table.heard(nodeId('somebody'))).toBe(false);
    expect(table.list()).toEqual([]);
  });

  it('is bounded: the one gone longest makes room, the living never do', () => {
    const { table, clock } = open();
    const ids = Array.from({ length: maxMembers + 1 }, (_, n) => nodeIdOfPublicKey(n.toString(16).padStart(64, '0')));
    for (const id of ids.slice(0, maxMembers)) table.heard(id);
    const late = ids[maxMembers] ?? self;
    expect(table.heard(late)).toBe(false);
    for (const id of [ids[7] ?? self, ids[3] ?? self]) {
      table.gone(id);
      clock.advance(1);
    }
    expect(table.heard(late)).toBe(true);
    expect(table.get(ids[7] ?? self)).toBeUndefined();
    expect(table.get(ids[3] ?? self)?.state).toBe('gone');
  });
});
