import { defaultNamespace, functionKey, type FunctionKey } from '../domain/ids.ts';

/** What a request under `/function/` asks for. */
export type Target = {
  readonly key: FunctionKey;
  /** Path and query for the function, beginning with a slash. */
  readonly path: string;
};

const prefix = '/function/';
const namePattern = /^[-a-zA-Z_0-9.]+$/;

/**
 * Reads `/function/NAME[.NAMESPACE][/PATH][?QUERY]`; undefined when `url` is none. The name is split at its last dot,
 * and matched whole: one name never stands for another that begins alike.
 */
export const parseTarget = (url: string): Target | undefined => {
  if (!url.startsWith(prefix)) return undefined;
  const query = url.indexOf('?');
  const pathEnd = query === -1 ? url.length : query;
  const slash = url.indexOf('/', prefix.length);
  const nameEnd = slash === -1 || slash > pathEnd ? pathEnd : slash;
  const name = url.slice(prefix.length, nameEnd);
  if (!namePattern.test(name)) return undefined;
  const rest = url.slice(nameEnd);
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  const dot = name.lastIndexOf('.');
  return dot > 0
    ? { key: functionKey(name.slice(0, dot), name.slice(dot + 1)), path }
    : { key: functionKey(name, defaultNamespace), path };
};
