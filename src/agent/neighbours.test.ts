import { describe, expect, test } from 'vitest';
import { functionKey, nodeId } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';
import { member } from './member.testing.ts';
import { Neighbours } from './neighbours.ts';

const status = { inFlight: 3, slots: 8, functions: { 'echo.openfaas-fn': { inFlight: 1, limit: 0, replicas: 1 } } };

const open = (...members: readonly Member[]): Neighbours => {
  const neighbours = new Neighbours();
  neighbours.update(members);
  for (const { id } of members) neighbours.heard(id, status, 1_000);
  return neighbours;
};

describe('neighbours', () => {
  test('are shown to the strategy with what they last said', () => {
    const [view] = open(member('a', { rttMs: 1.234 })).views(1_500);
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
    const neighbours = open(
      member('gone', { state: 'gone' }),
      member('leaving', { announced: { draining: true } }),
      silent,
    );
    expect(neighbours.views(1_000 + 5_001)).toEqual([]);
    expect(neighbours.views(1_000).map(({ id }) => id)).toEqual(['silent']);
    const { announcement: _, ...unannounced } = member('new');
    neighbours.update([unannounced]);
    expect(neighbours.views(1_000)).toEqual([]);
  });

  test('may send work while they are leaving, and when their agent fell silent: its data plane goes on', () => {
    const neighbours = open(member('gone', { state: 'gone' }), member('leaving', { announced: { draining: true } }));
    expect(neighbours.plans().map(({ name }) => name)).toEqual(['gone', 'leaving']);
    expect(neighbours.reachable().map(({ name }) => name)).toEqual(['leaving']);
  });

  test('are lost when they fell silent, not when they said that they leave or are back under another id', () => {
    const neighbours = open(
      member('silent', { state: 'gone' }),
      member('left', { state: 'gone', announced: { draining: true } }),
      member('back-1', { state: 'gone', announced: { name: 'back' } }),
      member('back-2', { announced: { name: 'back' } }),
    );
    expect(neighbours.lost().map(({ name }) => name)).toEqual(['silent']);
  });

  test('have told of a function when they said that it runs there or that it cannot be started', () => {
    const neighbours = open(member('a'));
    const [id, echo, broken] = [nodeId('a'), functionKey('echo'), functionKey('broken')];
    const told = () => [echo, broken].map((key) => [neighbours.hasTold(id, key), neighbours.fails(id, key)]);
    expect(told()).toEqual([
      [true, false],
      [false, false],
    ]);
    neighbours.heard(id, { ...status, functions: {}, failing: [broken] }, 2_000);
    expect(told()).toEqual([
      [false, false],
      [true, true],
    ]);
  });

  test('are forgotten when they are members no more', () => {
    const neighbours = open(member('a'), member('b'));
    neighbours.update([member('b')]);
    expect(neighbours.status(nodeId('a'))).toBeUndefined();
    expect(neighbours.status(nodeId('b'))).toBeDefined();
  });
});
