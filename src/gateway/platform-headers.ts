import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { Reason } from '../domain/reason.ts';

const reasons: Readonly<Record<number, Reason>> = {
  400: 'bad-request',
  404: 'unknown-function',
  405: 'bad-request',
  413: 'too-large',
  503: 'full',
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
    const reason = c.req.method === 'DELETE' ? undefined : reasons[status];
    if (reason !== undefined) headers.set('x-skein-reason', reason);
    if (status === 503) headers.set('retry-after', '1');
  };
