import { describe, expect, onTestFinished, test } from 'vitest';
import { SkeinError } from '../domain/errors.ts';
import { functionKey, parseDigest, type Digest, type FunctionKey } from '../domain/ids.ts';
import { MemoryProvider } from '../providers/memory/memory-provider.ts';
import type { FunctionSpec } from '../providers/provider.ts';
import { ManualClock } from '../std/clock.ts';
import { silentLog } from '../telemetry/log.ts';
import type { Hosted } from './hosted.ts';
import { settingsOf } from './labels.ts';
import { Reconciler } from './reconciler.ts';

const key = functionKey('echo');
const ref = { name: 'echo', namespace: 'openfaas-fn' };
const digest = parseDigest(`sha256:${'0'.repeat(64)}`) as Digest;
const deployment = { service: 'echo', image: 'echo' };

const hosted = (revision: string | undefined): Hosted => ({
  key,
  ref,
  value: { deployment, digest, createdAt: '2026-01-01T00:00:00Z' },
  settings: settingsOf(deployment),
  spec: revision === undefined ? undefined : { ref, revision, digest, deployment },
  ready: false,
});

/** A reconciler over a real provider; `settled` waits for its next report on the function. */
const open = () => {
  const clock = new ManualClock();
  const provider = new MemoryProvider({ clock, maxReplicas: 10, code: () => async () => (_, answer) => answer.end() });
  const wanted = new Map<FunctionKey, Hosted>();
  const fetched: string[] = [];
  const taken: (string | undefined)[] = [];
  let fetch = async (spec: FunctionSpec): Promise<void> => void fetched.push(spec.revision);
  let report: () => void = () => {};
  const reconciler = new Reconciler({
    provider,
    wanted: (asked) => wanted.get(asked),
    fetchBundle: (spec) => fetch(spec),
    onTaken: ({ spec }) => void taken.push(spec?.revision),
    onChange: () => report(),
    clock,
    log: silentLog,
  });
  onTestFinished(async () => {
    await reconciler.stop();
    provider.stop();
  });
  const settled = (): Promise<void> =>
    new Promise((resolve) => {
      report = resolve;
    });
  const revision = async (): Promise<string | undefined> => (await provider.list())[0]?.spec.revision;
  return {
    clock,
    provider,
    reconciler,
    wanted,
    fetched,
    taken,
    settled,
    revision,
    fetchWith: (other: typeof fetch) => {
      fetch = other;
    },
    want: async (next: Hosted | undefined): Promise<void> => {
      if (next === undefined) wanted.delete(key);
      else wanted.set(key, next);
      const done = settled();
      reconciler.touch(key);
      await done;
    },
  };
};

describe('bringing a node into line with the catalogue', () => {
  test('deploys, updates and removes', async () => {
    const { want, revision, fetched, taken } = open();
    const first = hosted('1');
    await want(first);
    expect(await revision()).toBe('1');
    expect(first.ready).toBe(true);
    await want(hosted('2'));
    expect(await revision()).toBe('2');
    await want(hosted('2'));
    await want(undefined);
    expect(await revision()).toBeUndefined();
    expect(fetched).toEqual(['1', '2']);
    expect(taken).toEqual(['1', '2']);
  });

  test('removes what lives elsewhere from now on', async () => {
    const { want, revision } = open();
    await want(hosted('1'));
    await want(hosted(undefined));
    expect(await revision()).toBeUndefined();
  });

  test('does nothing for a revision that is there, however often it is told', async () => {
    const { want, fetched } = open();
    await want(hosted('1'));
    const again = hosted('1');
    await want(again);
    expect(again.ready).toBe(true);
    expect(fetched).toEqual(['1']);
  });

  test('says why it failed and tries again with growing pauses', async () => {
    const { want, clock, settled, fetchWith, revision } = open();
    let tries = 0;
    fetchWith(async () => {
      tries += 1;
      if (tries < 4) throw new SkeinError('unavailable', 'nobody has it');
    });
    const wanted = hosted('1');
    await want(wanted);
    expect(wanted).toMatchObject({ ready: false, problem: 'nobody has it' });
    for (const pause of [500, 1_000, 2_000]) {
      clock.advance(pause - 1);
      const before = tries;
      const done = settled();
      clock.advance(1);
      await done;
      expect(tries).toBe(before + 1);
    }
    expect(await revision()).toBe('1');
    expect(wanted.ready).toBe(true);
    expect(wanted.problem).toBeUndefined();
  });

  test('tells faults that are worth no waiting: what cannot run at all, and what is nowhere to be had for a while', async () => {
    const { want, clock, settled, fetchWith } = open();
    fetchWith(() => Promise.reject(new SkeinError('invalid', 'no such program')));
    const unfit = hosted('1');
    await want(unfit);
    expect(unfit.fault).toBe('unfit');
    fetchWith(() => Promise.reject(new SkeinError('unavailable', 'nobody has it')));
    const missing = hosted('2');
    await want(missing);
    for (const pause of [500, 1_000, 2_000]) {
      expect(missing.fault).toBeUndefined();
      const done = settled();
      clock.advance(pause);
      await done;
    }
    expect(missing.fault).toBe('missing');
    fetchWith(() => Promise.resolve());
    const done = settled();
    clock.advance(4_000);
    await done;
    expect(missing).toMatchObject({ ready: true });
    expect(missing).not.toHaveProperty('fault');
  });

  test('ends with the newest wish, whatever came in between', async () => {
    const { reconciler, wanted, settled, revision } = open();
    let last = settled();
    for (const name of ['1', '2', '3', '4']) {
      wanted.set(key, hosted(name));
      reconciler.touch(key);
    }
    for (let reports = 0; reports < 4 && (await revision()) !== '4'; reports += 1) {
      await last;
      last = settled();
    }
    expect(await revision()).toBe('4');
  });
});
