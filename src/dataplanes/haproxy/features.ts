import { SkeinError } from '../../domain/errors.ts';

/** What an HAProxy can do beyond what every one that is taken can (2.6, with Lua, OpenSSL and the exporter). */
export type Features = {
  readonly version: string;
  /** The memory that each thread keeps at hand can be set (2.8). */
  readonly hotMemory: boolean;
  /** Handshakes have a time of their own: it knows `timeout client-hs`. */
  readonly timesHandshakes: boolean;
};

/** Before HAProxy was asked: what every one can. */
export const plainFeatures: Features = { version: '', hotMemory: false, timesHandshakes: false };

const oldest: Release = [2, 6];
const needed = ['LUA', 'OPENSSL', 'PROMEX'];

/** A whole configuration with `line`, for what `haproxy -vv` does not tell: one that does not know the line refuses it. */
export const trialOf = (line: string): string =>
  `listen trial\n  mode http\n  bind 127.0.0.1:1\n${['connect', 'client', 'server'].map((side) => `  timeout ${side} 5s\n`).join('')}  ${line}\n`;

/** Reads `haproxy -vv`; `unsupported` names what this one lacks. */
export const readFeatures = (text: string): Omit<Features, 'timesHandshakes'> => {
  const [, version = '', major = '0', minor = '0'] = /version ((\d+)\.(\d+)[^ ]*)/i.exec(text) ?? [];
  const release: Release = [Number(major), Number(minor)];
  const built = builtWith(text);
  const lacks = [
    ...(isSince(release, oldest) ? [] : ['is older than 2.6']),
    ...needed.filter((feature) => !built.has(feature)).map((feature) => `was built without ${feature}`),
  ];
  if (lacks.length === 0) return { version, hotMemory: isSince(release, [2, 8]) };
  throw new SkeinError('unsupported', `this HAProxy (${version || 'of no known version'}) ${lacks.join(' and ')}`);
};

type Release = readonly [major: number, minor: number];

const isSince = ([major, minor]: Release, [wanted, least]: Release): boolean =>
  major > wanted || (major === wanted && minor >= least);

/** `Feature list : +LUA -QUIC …`: what stands there with a plus. */
const builtWith = (text: string): ReadonlySet<string> => {
  const [, list = ''] = /^Feature list *: *(.*)$/m.exec(text) ?? [];
  return new Set(list.split(' ').flatMap((word) => (word.startsWith('+') ? [word.slice(1)] : [])));
};
