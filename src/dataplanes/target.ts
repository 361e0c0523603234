import { defaultNamespace, functionKey, type FunctionKey } from '../domain/ids.ts';

/** What a request under `/function/` asks for. */
export type Target = {
  readonly key: FunctionKey;
  /** Path and query for the function, beginning with a slash. */
  readonly path: string;
};

const prefix = '/function/';
const namePattern = /^[-a-zA-Z_0-9.]+$/;

/** Keys of names that were asked for. Callers make up names, so they are forgotten when they are too many. */
const keys = new Map<string, FunctionKey>();
const maxKeys = 4_096;
const maxKeptName = 256;

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
  const key = keys.get(name) ?? keyOf(name);
  if (key === undefined) return undefined;
  const rest = url.slice(nameEnd);
  return { key, path: rest.startsWith('/') ? rest : `/${rest}` };
};

const keyOf = (name: string): FunctionKey | undefined => {
  if (!namePattern.test(name)) return undefined;
  const dot = name.lastIndexOf('.');
  const key = dot > 0 ? functionKey(name.slice(0, dot), name.slice(dot + 1)) : functionKey(name, defaultNamespace);
  if (name.length > maxKeptName) return key;
  if (keys.size >= maxKeys) keys.clear();
  // As the name of a property it is the one string of these characters: maps find it without comparing them.
  const kept = Object.keys({ [key]: true })[0] as FunctionKey;
  // Of its own, so that it does not keep the head in which it stood.
  keys.set(Buffer.from(name, 'latin1').toString('latin1'), kept);
  return kept;
};
