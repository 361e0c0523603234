import type { Catalogue } from '../catalogue/catalogue.ts';
import { keys } from '../catalogue/record.ts';
import type { SecretValue } from '../catalogue/record.ts';
import { asSecret } from '../catalogue/values.ts';
import { SkeinError } from '../domain/errors.ts';
import { secretName } from '../domain/function.ts';
import type { Clock } from '../std/clock.ts';
import type { Vault } from './vault.ts';

/** Longest value of a secret, bytes. */
export const maxSecretBytes = 128 * 1024;

export type SecretsNeeds = {
  readonly catalogue: Pick<Catalogue, 'get' | 'list' | 'put' | 'remove'>;
  readonly vault: Vault;
  readonly clock: Pick<Clock, 'now'>;
};

/** The federation's secrets: sealed records of the catalogue. Nothing here but `read` gives a value out. */
export type Secrets = {
  /** Names, in order. */
  list(namespace: string): readonly string[];
  /** Resolves when it is kept on disk. `exists`, `invalid` for names that are none, `too-large`. */
  create(namespace: string, name: string, value: Uint8Array): Promise<void>;
  /** As `create`, for one that is there; the same value again changes nothing. `not-found`. */
  update(namespace: string, name: string, value: Uint8Array): Promise<void>;
  /** Functions that run keep what they were given. `not-found`. */
  remove(namespace: string, name: string): Promise<void>;
  /** Those of `names` that are not there. */
  missing(namespace: string, names: readonly string[]): readonly string[];
  /** Values, in the order of `names`. `not-found` names those that are missing; `unavailable` when one cannot be opened. */
  read(namespace: string, names: readonly string[]): ReadonlyMap<string, Buffer>;
  /**
   * Changes whenever one of `names` gets another value, comes or goes: what a node runs depends on it. Empty for no names. Says
   * nothing about values.
   */
  versions(namespace: string, names: readonly string[]): string;
};

export const createSecrets = ({ catalogue, vault, clock }: SecretsNeeds): Secrets => {
  const find = (namespace: string, name: string): SecretValue | undefined => {
    const record = isName(name) ? catalogue.get(keys.secret(namespace, name)) : undefined;
    return record && asSecret(record);
  };
  const valueOf = (key: string, value: Uint8Array): SecretValue => {
    if (value.length > maxSecretBytes) throw tooLarge();
    return { sealed: vault.seal(key, value), updatedAt: new Date(clock.now()).toISOString() };
  };
  const same = (key: string, { sealed }: SecretValue, value: Uint8Array): boolean => {
    try {
      return vault.open(key, sealed).equals(value);
    } catch {
      return false;
    }
  };
  const missing: Secrets['missing'] = (namespace, names) => names.filter((name) => find(namespace, name) === undefined);

  return {
    list: (namespace) => {
      const prefix = keys.secret(namespace, '');
      return catalogue.list(prefix).map(({ key }) => key.slice(prefix.length));
    },

    create: async (namespace, name, value) => {
      checkName(name);
      const key = keys.secret(namespace, name);
      const outcome = await catalogue.put(key, valueOf(key, value), { ifAbsent: true });
      if (outcome.kind === 'exists') throw alreadyExists(name);
    },

    update: async (namespace, name, value) => {
      const key = keys.secret(namespace, name);
      const before = find(namespace, name);
      if (before === undefined) throw notFound(name);
      if (same(key, before, value)) return;
      const outcome = await catalogue.put(key, valueOf(key, value), { ifPresent: true });
      if (outcome.kind === 'absent') throw notFound(name);
    },

    remove: async (namespace, name) => {
      const outcome = isName(name) ? await catalogue.remove(keys.secret(namespace, name)) : { kind: 'absent' };
      if (outcome.kind === 'absent') throw notFound(name);
    },

    missing,

    read: (namespace, names) => {
      const absent = missing(namespace, names);
      if (absent.length > 0) throw new SkeinError('not-found', unableToFind(absent));
      return new Map(
        names.map((name) => {
          const key = keys.secret(namespace, name);
          return [name, vault.open(key, find(namespace, name)?.sealed ?? '')];
        }),
      );
    },

    versions: (namespace, names) =>
      [...new Set(names)]
        .sort()
        .map((name) => {
          const version = isName(name) ? catalogue.get(keys.secret(namespace, name))?.version : undefined;
          return `${name}=${version === undefined ? '' : `${version.counter}@${version.node}`}`;
        })
        .join(','),
  };
};

/** As OpenFaaS says it, with every name. */
export const unableToFind = (names: readonly string[]): string =>
  `unable to find secret: ${names.map((name) => name.slice(0, 253)).join(', ')}`;

const isName = (name: string): boolean => secretName.safeParse(name).success;

const checkName = (name: string): void => {
  const problem = secretName.safeParse(name).error?.issues[0]?.message;
  if (problem !== undefined) throw new SkeinError('invalid', `name: ${problem}`);
};

const shown = (name: string): string => JSON.stringify(name.slice(0, 100));

const notFound = (name: string): SkeinError => new SkeinError('not-found', `secret ${shown(name)} not found`);

const alreadyExists = (name: string): SkeinError =>
  new SkeinError('exists', `secret ${shown(name)} already exists: update it, with PUT or "skein secret update"`);

const tooLarge = (): SkeinError =>
  new SkeinError('too-large', `a secret may have at most ${maxSecretBytes} bytes: keep larger files in the bundle`);
