import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock, systemClock } from '../../std/clock.ts';
import type { LogOptions, ReplicaLine } from '../provider.ts';
import { markTimes } from './log-times.ts';
import { readLogs } from './read-logs.ts';
import { collect } from './provider.testing.ts';
import { boundLog } from './log-cut.ts';
import { logFile } from './replica-logs.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skein-logs-'));
});
afterEach(() => rm(folder, { recursive: true }));

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const write = (id: string, second: number, text: string): Promise<void> =>
  appendFile(logFile(folder, id), `${at(second)} ${text}\n`);
const read = (options: Partial<LogOptions> = {}): AsyncGenerator<ReplicaLine, void> =>
  readLogs(folder, { signal: new AbortController().signal, ...options }, systemClock);
const texts = async (options: Partial<LogOptions> = {}): Promise<readonly string[]> =>
  (await collect(read(options))).map(({ text }) => text);

it('merges the lines of all replicas by their time, and keeps the order of each', async () => {
  await write('r1', 1, 'one');
  await write('r1', 5, 'three');
  await appendFile(logFile(folder, 'r1'), '    at a trace without a time\n');
  await write('r2', 3, 'two');
  await write('r2', 9, 'four');
  expect(await collect(read())).toEqual([
    { timestamp: at(1), instance: 'r1', text: 'one' },
    { timestamp: at(3), instance: 'r2', text: 'two' },
    { timestamp: at(5), instance: 'r1', text: 'three' },
    { timestamp: at(5), instance: 'r1', text: '    at a trace without a time' },
    { timestamp: at(9), instance: 'r2', text: 'four' },
  ]);
});

it('takes lines at the beginning of a log that tell no time for as old as the first that does', async () => {
  await appendFile(logFile(folder, 'r1'), `    at a trace\n${at(1)} one\n`);
  expect((await collect(read())).map(({ timestamp }) => timestamp)).toEqual([at(1), at(1)]);
});

it.each([
  ['the newest lines', { tail: 2 }, ['b3', 'a4']],
  ['all for 0', { tail: 0 }, ['a1', 'b2', 'b3', 'a4']],
  ['what is not older', { since: Date.parse(at(3)) }, ['b3', 'a4']],
  ['one replica', { instance: 'a' }, ['a1', 'a4']],
  ['nothing of a replica that is not there', { instance: 'c' }, []],
])('gives %s', async (_name, options, expected) => {
  await write('a', 1, 'a1');
  await write('b', 2, 'b2');
  await write('b', 3, 'b3');
  await write('a', 4, 'a4');
  expect(await texts(options)).toEqual(expected);
});

it('gives nothing of a function that never ran', async () => {
  expect(await collect(readLogs(join(folder, 'none'), { signal: new AbortController().signal }, systemClock))).toEqual(
    [],
  );
});

it('gives the newest ten thousand lines of a log that has more', async () => {
  const lines = Array.from({ length: 30_000 }, (_, index) => `${at(1)} ${index}\n`);
  await appendFile(logFile(folder, 'r1'), lines.join(''));
  const found = await texts();
  expect(found).toHaveLength(10_000);
  expect([found[0], found.at(-1)]).toEqual(['20000', '29999']);
});

it('tells when lines were noticed that tell no time, also after their log was moved away', async () => {
  const path = logFile(folder, 'r1');
  const long = 'x'.repeat(600_000);
  await markTimes(path, 0, 1000);
  await appendFile(path, `${at(7)} is the program's own\n`);
  await markTimes(path, 46, 2000);
  await appendFile(path, `${long}\n`);
  await markTimes(path, 46 + 600_001, 3000);
  await boundLog(path, 4000);
  await appendFile(path, 'after\n');
  await markTimes(path, 6, 5000);
  const lines = await collect(read());
  expect(lines.map(({ timestamp, text }) => [Date.parse(timestamp), text.length])).toEqual([
    [2000, `${at(7)} is the program's own`.length],
    [3000, long.length],
    [5000, 5],
  ]);
});

it('a line that tells no time keeps the one with which it was first read, whatever is noted of it later', async () => {
  const path = logFile(folder, 'r1');
  const times = async (): Promise<readonly string[]> => (await collect(read())).map(({ timestamp }) => timestamp);
  await markTimes(path, 0, 1000);
  await appendFile(path, 'one\ntw');
  const [one, begun] = await times();
  await markTimes(path, 6, Date.now() + 5000);
  await appendFile(path, 'o\nthree\n');
  const three = (await times()).at(-1);
  expect(await times()).toEqual([one, begun, three]);
  // Noted in another order than looked at.
  await markTimes(path, 4, Date.now() + 9000);
  await markTimes(path, 14, Date.now() + 9000);
  expect(await times()).toEqual([one, begun, three]);
  await appendFile(path, `${'x'.repeat(600_000)}\n`);
  const all = await times();
  await boundLog(path, Date.now() + 10_000);
  expect(await times()).toEqual(all);
});

it('follows a log that tells no times, and shows each line with the time that it keeps', async () => {
  const path = logFile(folder, 'r1');
  const ended = new AbortController();
  await markTimes(path, 0, 1000);
  const followed: ReplicaLine[] = [];
  let heard = (): void => {};
  const following = (async () => {
    for await (const line of read({ follow: true, signal: ended.signal })) {
      followed.push(line);
      heard();
    }
  })();
  for (let line = 1; line <= 5; line++) {
    const arrived = new Promise<void>((resolve) => (heard = resolve));
    await appendFile(path, `line ${line}\n`);
    await arrived;
    await markTimes(path, 7 * line, Date.now() + 1000 * line);
  }
  ended.abort();
  await following;
  expect(followed).toEqual(await collect(read()));
});

it('follows what comes also when the clock of the machine was set back meanwhile', async () => {
  const ended = new AbortController();
  await write('r1', 30, 'too old');
  await write('r1', 50, 'past');
  const lines = read({ follow: true, since: Date.parse(at(40)), signal: ended.signal });
  const next = async (): Promise<unknown> => ((await lines.next()).value as ReplicaLine | undefined)?.text;
  expect(await next()).toBe('past');
  await write('r1', 10, 'an hour early');
  expect(await next()).toBe('an hour early');
  ended.abort();
  expect(await next()).toBeUndefined();
});

it('follows from a time that is yet to come', async () => {
  const ended = new AbortController();
  const soon = Date.now() + 3_600_000;
  const lines = read({ follow: true, since: soon, signal: ended.signal });
  const first = lines.next();
  await appendFile(logFile(folder, 'r1'), `${new Date().toISOString()} early\n`);
  await appendFile(logFile(folder, 'r1'), `${new Date(soon + 1000).toISOString()} then\n`);
  expect((await first).value).toMatchObject({ text: 'then' });
  ended.abort();
  await lines.next();
});

it('follows through moves and new replicas, loses and repeats nothing, and ends when told', async () => {
  const ended = new AbortController();
  await write('r1', 1, 'past');
  const followed: string[] = [];
  let heard = (): void => {};
  const following = (async () => {
    for await (const { text } of read({ follow: true, signal: ended.signal })) {
      followed.push(text.slice(0, 12));
      heard();
    }
  })();
  const until = async (count: number): Promise<void> => {
    while (followed.length < count) await new Promise<void>((resolve) => (heard = resolve));
  };
  const expected = ['past'];
  await until(1);
  for (let round = 0; round < 4; round++) {
    for (let line = 0; line < 60; line++) {
      const text = `${round}.${line}`;
      expected.push(text.padEnd(12, '-'));
      await write('r1', round + 2, text.padEnd(10_000, '-'));
    }
    // Moved away before all of it can have been read.
    await boundLog(logFile(folder, 'r1'), 0);
    await until(expected.length);
  }
  await write('r2', 20, 'another');
  expected.push('another');
  await until(expected.length);
  expect(followed).toEqual(expected);
  ended.abort();
  await following;
});

/** Lines of a kilobyte that are told apart by their number. */
const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `${at(1)} ${`${from + index} `.padEnd(998, 'x')}.\n`).join('');

/** Follows with a clock that stands still: nothing is read unless `next` is waited for. */
const following = () => {
  const clock = new ManualClock(Date.parse(at(30)));
  const ended = new AbortController();
  const lines = readLogs(folder, { follow: true, signal: ended.signal }, clock);
  let last = false;
  const next = async (): Promise<string> => {
    let text: string | undefined;
    const read = lines.next().then((one) => {
      last = one.done === true;
      text = one.value?.text ?? '';
    });
    for (; text === undefined && !last; await setImmediate()) clock.advance(200);
    await read;
    return text ?? '';
  };
  /** The numbers of the lines up to the one of number `to`; fails where one is no whole line. */
  const numbersTo = async (to: number): Promise<readonly number[]> => {
    const numbers: number[] = [];
    while (numbers.at(-1) !== to) {
      const text = await next();
      expect(text).toMatch(/^\d+ x+\.$/);
      expect(text).toHaveLength(999);
      numbers.push(parseInt(text, 10));
    }
    return numbers;
  };
  return { next, numbersTo, end: () => ended.abort() };
};

const inARow = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('who follows a log of which only the end was kept', () => {
  it('goes on with the first whole line of that, and glues nothing to what it held', async () => {
    const path = logFile(folder, 'r1');
    await appendFile(path, `${numbered(0, 300)}${at(1)} half`);
    const log = following();
    expect(await log.numbersTo(299)).toEqual(inARow(0, 299));
    await appendFile(path, ` a line\n${numbered(300, 3_000)}`);
    await boundLog(path, 0);
    await appendFile(path, numbered(3_000, 3_100));
    const numbers = await log.numbersTo(3_099);
    expect(numbers).toEqual(inARow(numbers[0] as number, 3_099));
    expect(numbers.length).toBeGreaterThan(600);
    log.end();
  });

  it('leaves out a line that was cut in its midst', async () => {
    const path = logFile(folder, 'r1');
    const lines = numbered(0, 700);
    await appendFile(path, lines.slice(0, 600_500));
    const log = following();
    expect(await log.numbersTo(580)).toEqual(inARow(0, 580));
    await boundLog(path, 0);
    // Nobody knows whether anything was lost between.
    await appendFile(path, lines.slice(600_500));
    const torn = lines.slice(0, 600_500).split('\n').length - 1;
    const whole = inARow(0, 699).filter((number) => number !== torn);
    expect(await log.numbersTo(699)).toEqual(whole.filter((number) => number > 580));
    log.end();
    expect((await texts()).map((text) => parseInt(text, 10))).toEqual(whole);
  });

  it('misses nothing of what was kept, wherever it had read to', async () => {
    const path = logFile(folder, 'r1');
    await appendFile(path, numbered(0, 1_500));
    const log = following();
    expect(await log.numbersTo(1_400)).toEqual(inARow(0, 1_400));
    await boundLog(path, 0);
    await appendFile(path, numbered(1_500, 1_600));
    expect(await log.numbersTo(1_599)).toEqual(inARow(1_401, 1_599));
    await appendFile(path, numbered(1_600, 3_000));
    await boundLog(path, 0);
    await appendFile(path, numbered(3_000, 3_010));
    const numbers = await log.numbersTo(3_009);
    expect(numbers).toEqual(inARow(numbers[0] as number, 3_009));
    log.end();
  });

  it('goes on with what is there when it was cut more than once since it was read', async () => {
    const path = logFile(folder, 'r1');
    await appendFile(path, numbered(0, 100));
    const log = following();
    await log.numbersTo(50);
    for (let round = 1; round < 4; round++) {
      await appendFile(path, numbered(round * 1_000, round * 1_000 + 700));
      await boundLog(path, 0);
    }
    await appendFile(path, numbered(4_000, 4_010));
    expect(await log.numbersTo(4_009)).toEqual([...inARow(51, 99), ...inARow(3_000, 3_699), ...inARow(4_000, 4_009)]);
    log.end();
  });

  it('reads no line out of two while it is cut as it is read', async () => {
    const path = logFile(folder, 'r1');
    await appendFile(path, 'past\n');
    const log = following();
    expect(await log.next()).toBe('past');
    await appendFile(path, numbered(0, 600));
    expect(await log.numbersTo(10)).toEqual(inARow(0, 10));
    await boundLog(path, 0);
    await appendFile(path, numbered(600, 1_200));
    await boundLog(path, 0);
    await appendFile(path, numbered(1_200, 1_400));
    const numbers = await log.numbersTo(1_399);
    expect(numbers.slice(numbers.indexOf(600))).toEqual(inARow(600, 1_399));
    log.end();
  });
});
