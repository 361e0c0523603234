import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { codeOf, type ErrorCode } from '../domain/errors.ts';
import type { Reason } from '../domain/reason.ts';

/** Of what was refused by an answer. */
const ofStatus: Readonly<Record<number, Reason>> = { 404: 'unknown-function', 405: 'bad-request' };

/** Of what was refused by a fault. */
const ofCode: Readonly<Partial<Record<ErrorCode, Reason>>> = {
  invalid: 'bad-request',
  forbidden: 'bad-request',
  'not-found': 'unknown-function',
  'too-large': 'too-large',
  full: 'full',
  unavailable: 'queue-failed',
  timeout: 'timeout',
};

/** Refusals of `/async-function/` say who refuses and why, as the data planes do for `/function/` (`refusals.ts`). */
export const platformHeaders =
  (node: string): MiddlewareHandler =>
  async (c, next) => {
    await next();
    const { status, headers } = c.res;
    if (status < 400) return;
    headers.set('x-skein-node', node);
    headers.set('x-openfaas-internal', 'skein');
    if (!headers.has('x-call-id')) headers.set('x-call-id', c.req.header('x-call-id') || randomUUID());
    // To cancel a call is no call.
    const reason = c.req.method === 'DELETE' ? undefined : c.error ? ofCode[codeOf(c.error)] : ofStatus[status];
    if (reason !== undefined) headers.set('x-skein-reason', reason);
    if (status === 503) headers.set('retry-after', '1');
  };
