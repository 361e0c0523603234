/** What HAProxy says of calls that are on their way; 2.6 and 3.0 say it differently, but for this. */
export type Session = {
  /** HAProxy's own name for it, which another may have once it has ended. */
  readonly id: string;
  /** Of the function that runs it. */
  readonly backend: string;
  /** In whole seconds. */
  readonly ageMs: number;
};

/** The answer to `show sess`: calls that replicas of this node run. */
export const readSessions = (text: string): readonly Session[] =>
  text.split('\n').flatMap((line) => {
    const [, id, backend, age] = /^(0x[0-9a-f]+): .*? be=(f\d+) .*? age=(\w+) /.exec(line) ?? [];
    return id === undefined || backend === undefined ? [] : [{ id, backend, ageMs: ageOf(age ?? '') }];
  });

const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };

/** `4s`, `2m13s`, `1h`, `3d7h`. */
const ageOf = (text: string): number =>
  [...text.matchAll(/(\d+)([dhms])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0),
    0,
  );

/** The answer to `show sess ID`: how far that call is; undefined where it has ended. */
export const readStage = (text: string): 'asked' | 'answering' | 'switched' | undefined => {
  const [, status] = /^ *txn=.* status=(-?\d+) /m.exec(text) ?? [];
  if (status === undefined) return undefined;
  if (status === '101') return 'switched';
  return Number(status) >= 200 ? 'answering' : 'asked';
};

/** The answer to `skein timeouts`: milliseconds, by backend. */
export const readTimeouts = (text: string): ReadonlyMap<string, number> =>
  new Map([...text.matchAll(/^(f\d+) (\d+)$/gm)].map(([, backend = '', ms]) => [backend, Number(ms)]));

/** Ages are told in whole seconds, and what HAProxy can end by itself it ends in better words. */
const graceMs = 2_000;

/** Those whose time is over. */
export const overdue = (sessions: readonly Session[], timeouts: ReadonlyMap<string, number>): readonly Session[] =>
  sessions.filter(({ backend, ageMs }) => ageMs > (timeouts.get(backend) ?? Infinity) + graceMs);
