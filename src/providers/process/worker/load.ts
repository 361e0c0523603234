import { pathToFileURL } from 'node:url';
import { eventListener, type EventHandler } from './event-handler.ts';
import { fetchListener, type FetchHandler } from './fetch-handler.ts';
import type { HandlerStyle } from './messages.ts';
import type { Listener } from './server.ts';

/**
 * Imports a function and makes it a listener. The handler is the default export (or `module.exports`, or the named
 * export `handler`), a function or an object with a `fetch` method.
 */
export const loadHandler = async (entry: string, style: HandlerStyle): Promise<Listener> => {
  const loaded = (await import(pathToFileURL(entry).href)) as Exports;
  const exported = handlerOf(loaded.default) ?? loaded.handler;
  if (hasFetch(exported)) return fetchListener((request) => exported.fetch(request), style);
  if (typeof exported !== 'function') {
    throw new TypeError(
      'the entry exports no handler: export default a function (event, context) or (request) => Response',
    );
  }
  return takesRequest(exported, style)
    ? fetchListener(exported as FetchHandler, style)
    : eventListener(exported as EventHandler);
};

type Exports = { readonly default?: unknown; readonly handler?: unknown };

/** Of CommonJS the default export is `module.exports`, in which transpiled code keeps its own default, and other code its `handler`. */
const handlerOf = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || hasFetch(value)) return value;
  if ('__esModule' in value && 'default' in value) return handlerOf(value.default);
  return 'handler' in value ? value.handler : value;
};

const hasFetch = (value: unknown): value is { readonly fetch: FetchHandler } =>
  typeof value === 'object' && value !== null && 'fetch' in value && typeof value.fetch === 'function';

// eslint-disable-next-line typescript/no-unsafe-function-type
const takesRequest = (handler: Function, style: HandlerStyle): boolean =>
  style === 'fetch' || (style === 'auto' && handler.length <= 1);
