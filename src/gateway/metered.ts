import type { MiddlewareHandler } from 'hono';
import type { Clock } from '../std/clock.ts';
import type { ApiAnswer } from '../telemetry/api-instruments.ts';
import { routes } from './routes.ts';

/** `/system/function/{name}` is counted as `/system/function`, as OpenFaaS does it: names do not make series. */
const patterns = [...new Set(Object.values(routes).map(({ path }) => path.replace(/\/\{.*$/, '')))]
  .filter((path) => path.startsWith('/system/'))
  .sort((a, b) => b.length - a.length);

/** The pattern that a path falls under; undefined for one that is no route. */
export const patternOf = (path: string): string | undefined =>
  patterns.find((pattern) => path === pattern || path.startsWith(`${pattern}/`));

/** Tells of each answer under `/system/`, also of those without a password. */
export const metered = (onAnswer: (answer: ApiAnswer) => void, clock: Pick<Clock, 'monotonic'>): MiddlewareHandler => {
  return async (c, next) => {
    const begunAt = clock.monotonic();
    await next();
    const path = patternOf(c.req.path);
    if (path === undefined) return;
    onAnswer({ method: c.req.method, path, status: c.res.status, seconds: (clock.monotonic() - begunAt) / 1000 });
  };
};
