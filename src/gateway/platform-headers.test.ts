import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { SkeinError, type ErrorCode } from '../domain/errors.ts';
import { platformHeaders } from './platform-headers.ts';
import { problem } from './responses.ts';

const refusedWith = async (code: ErrorCode, method = 'POST'): Promise<Headers> => {
  const app = new Hono();
  app.onError((error) => problem(error));
  app.use(platformHeaders('node-1'));
  app.all('/x', () => {
    throw new SkeinError(code, 'no');
  });
  return (await app.request('/x', { method })).headers;
};

it.each([
  ['full', 'full'],
  ['unavailable', 'queue-failed'],
  ['timeout', 'timeout'],
  ['too-large', 'too-large'],
  ['invalid', 'bad-request'],
] as const)('a fault %s is a refusal with reason %s', async (code, reason) => {
  const headers = await refusedWith(code);
  expect(headers.get('x-skein-reason')).toBe(reason);
  expect(headers.get('x-skein-node')).toBe('node-1');
  expect(headers.get('retry-after')).toBe(code === 'full' || code === 'unavailable' ? '1' : null);
});

it('a call that is not cancelled was not refused', async () => {
  expect((await refusedWith('unavailable', 'DELETE')).get('x-skein-reason')).toBeNull();
});
