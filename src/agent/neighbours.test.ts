import { describe, expect, test } from 'vitest';
import { nodeId } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';
import { Neighbours } from './neighbours.ts';

const member = (name: string, changes: Partial<Member> = {}, draining = false): Member => ({
  id: nodeId(name),
  publicKey: '00'.repeat(32),
  state: 'alive',
  lastSeen: 0,
  rttMs: 1.234,
  announcement: {
    name,
    version: '1',
    labels: {},
    roles: [],
    slots: 8,
    peer: { host: '127.0.0.1', port: 1 },
    gateway: '',
    addresses: [],
    draining,
  },
  ...changes,
});

const status = { inFlight: 3, slots: 8, functions: { 'echo.openfaas-fn': { inFlight: 1, limit: 0, replicas: 1 } } };

const open = (...members: readonly Member[]): Neighbours => {
  const neighbours = new Neighbours();
  neighbours.update(members);
  for (const { id } of members) neighbours.heard(id, status, 1_000);
  return neighbours;
};

describe('neighbours', () => {
  test('are shown to the strategy with what they last said', () => {
    const [view] = open(member('a')).views(1_500);
    expect(view).toEqual({
      id: 'a',
      functions: ['echo.openfaas-fn'],
      slots: 8,
      inFlight: 3,
      rttMs: 1,
      ageMs: 500,
    });
  });

  test('are not given work when they left, are leaving, said nothing for long or never announced themselves', () => {
    const silent = member('silent');
    const neighbours = open(member('gone', { state: 'gone' }), member('leaving', {}, true), silent);
    expect(neighbours.views(1_000 + 5_001)).toEqual([]);
    expect(neighbours.views(1_000).map(({ id }) => id)).toEqual(['silent']);
    const { announcement: _, ...unannounced } = member('new');
    neighbours.update([unannounced]);
    expect(neighbours.views(1_000)).toEqual([]);
  });

  test('may send work while they are leaving, and when their agent fell silent: its data plane goes on', () => {
    const neighbours = open(member('gone', { state: 'gone' }), member('leaving', {}, true));
    expect(neighbours.plans().map(({ name }) => name)).toEqual(['gone', 'leaving']);
    expect(neighbours.reachable().map(({ name }) => name)).toEqual(['leaving']);
  });

  test('are forgotten when they are members no more', () => {
    const neighbours = open(member('a'), member('b'));
    neighbours.update([member('b')]);
    expect(neighbours.status(nodeId('a'))).toBeUndefined();
    expect(neighbours.status(nodeId('b'))).toBeDefined();
  });
});
