import { expect, it } from 'vitest';
import { maxOutboxBytes, maxParcels, Outbox } from './outbox.ts';

const frame = (size: number): Uint8Array => new Uint8Array(size);

it('an outbox is bounded in number and in bytes', () => {
  const many = new Outbox();
  for (let n = 0; n < maxParcels; n++) expect(many.push({ frame: frame(1) })).toBe(true);
  expect(many.push({ frame: frame(1) })).toBe(false);
  const large = new Outbox();
  expect(large.push({ frame: frame(maxOutboxBytes) })).toBe(true);
  expect(large.push({ frame: frame(1) })).toBe(false);
  large.shift();
  expect(large.push({ frame: frame(1) })).toBe(true);
});

it('of the statuses that wait only the newest is kept, and the dropped are told', () => {
  const outbox = new Outbox();
  const dropped: number[] = [];
  for (let n = 1; n <= 3; n++) outbox.push({ frame: frame(n), replaces: 'status', done: () => dropped.push(n) });
  expect(outbox.shift()?.frame.length).toBe(3);
  expect(outbox.shift()).toBeUndefined();
  expect(dropped).toEqual([1, 2]);
});
