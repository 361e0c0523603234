import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../std/clock.ts';
import { rest } from '../../std/rest.ts';
import { longestLineBytes, type LogOptions, type ReplicaLine } from '../provider.ts';
import { noteTimes, readTimes, timeAt, type Noted } from './log-times.ts';
import { earlierLog } from './replica-logs.ts';

/** Lines of the past that one reader gets, at most. */
const mostLines = 10_000;
const lookEveryMs = 200;
const chunkBytes = 64 * 1024;
type Line = { readonly timestampMs: number; readonly instance: string; readonly text: string };

const told = ({ timestampMs, instance, text }: Line): ReplicaLine => ({
  timestamp: new Date(timestampMs).toISOString(),
  instance,
  text,
});

const ending = '.log';
const ownTime = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) /;

/**
 * The lines in a folder of logs: those of the past by their time, then, if asked for, those that come, each as soon as it
 * is whole. It holds the lines of the past (`mostLines` at most), and one piece of a file at a time; a slow reader holds nobody up.
 */
export async function* readLogs(folder: string, options: LogOptions, clock: Clock): AsyncGenerator<ReplicaLine, void> {
  const followed = new Map<string, Reader>();
  // What comes from now on is newer than any time before now, whatever its own time says: clocks are set back.
  const sinceMs = (options.since ?? 0) > clock.now() ? options.since : undefined;
  const past = await readPast(folder, options, followed);
  for (const line of past) {
    if (options.signal.aborted) return;
    yield told(line);
  }
  while (options.follow === true && !options.signal.aborted) {
    const ids = await instances(folder, options.instance);
    for (const id of followed.keys()) if (!ids.includes(id)) followed.delete(id);
    for (const id of ids) {
      let reader = followed.get(id);
      if (reader === undefined) followed.set(id, (reader = new Reader(folder, id)));
      for await (const line of reader.more()) {
        if (options.signal.aborted) return;
        if (sinceMs === undefined || line.timestampMs >= sinceMs) yield told(line);
      }
    }
    await rest(clock, lookEveryMs, options.signal);
  }
}

const readPast = async (
  folder: string,
  options: LogOptions,
  readers: Map<string, Reader>,
): Promise<readonly Line[]> => {
  const tail = Math.min(options.tail || mostLines, mostLines);
  const sinceMs = options.since ?? 0;
  let lines: Line[] = [];
  for (const id of await instances(folder, options.instance)) {
    const reader = new Reader(folder, id);
    readers.set(id, reader);
    for await (const line of reader.more(true)) {
      if (line.timestampMs < sinceMs) continue;
      lines.push(line);
      if (lines.length > 2 * mostLines) lines = lastOnes(lines, tail);
    }
    if (options.follow !== true) {
      const rest = reader.rest();
      if (rest !== undefined && rest.timestampMs >= sinceMs) lines.push(rest);
    }
    if (options.signal.aborted) return [];
  }
  return lastOnes(lines, tail);
};

/** Sorting is stable, so lines of one replica keep their order. */
const lastOnes = (lines: readonly Line[], count: number): Line[] => {
  const sorted = lines.toSorted((one, other) => one.timestampMs - other.timestampMs);
  return sorted.slice(-count);
};

const instances = async (folder: string, only: string | undefined): Promise<readonly string[]> => {
  const names = await readdir(folder).catch(() => []);
  const ids = names.filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length));
  return only === undefined ? ids : ids.filter((id) => id === only);
};

/** When what begins at a byte was noticed; undefined where lines tell themselves. */
type Noticed = ((byte: number) => number) | undefined;

/** Reads one replica's log from where it left off, through the moves that keep it short. */
class Reader {
  readonly #id: string;
  readonly #path: string;
  #position = 0;
  /** Of the log that was moved away last, to see when another is. */
  #moved: string | undefined;
  #held: Buffer = Buffer.alloc(0);
  /** When its beginning was noticed. */
  #heldMs: number | undefined;
  #lastMs = 0;

  constructor(folder: string, id: string) {
    this.#id = id;
    this.#path = join(folder, `${id}${ending}`);
  }

  /** What came since; with `earlier`, first what was moved away before. */
  async *more(earlier = false): AsyncGenerator<Line, void> {
    const before = earlierLog(this.#path);
    const moved = await identity(before);
    if (earlier) {
      if (moved !== undefined) yield* this.#read(before, 0);
    } else if (moved !== this.#moved) {
      yield* this.#read(before, this.#position);
      this.#position = 0;
    }
    if (earlier || moved !== this.#moved) this.#position = 0;
    this.#moved = moved;
    this.#position = yield* this.#read(this.#path, this.#position, await noteTimes(this.#path));
  }

  /** A last line without an end. */
  rest(): Line | undefined {
    if (this.#held.length === 0) return undefined;
    const line = this.#line(this.#held.toString('utf8'), this.#heldMs);
    this.#held = Buffer.alloc(0);
    return line;
  }

  /** Returns how far it got. */
  async *#read(path: string, from: number, noted?: Noted): AsyncGenerator<Line, number> {
    const file = await open(path, 'r').catch(() => undefined);
    if (file === undefined) return from;
    try {
      const { size: length, mtimeMs } = await file.stat();
      const size = Math.min(length, noted?.bytes ?? length);
      if (size <= from) return from;
      // A log that was moved away grows no more.
      const marks = noted?.marks ?? (await readTimes(path));
      const noticed = marks && ((byte: number): number => timeAt(marks, byte, Math.floor(mtimeMs)));
      if (this.#lastMs === 0) this.#lastMs = Math.floor(mtimeMs);
      const chunk = Buffer.alloc(chunkBytes);
      let position = from;
      while (position < size) {
        const { bytesRead } = await file.read(chunk, 0, Math.min(chunkBytes, size - position), position);
        if (bytesRead === 0) break;
        const start = position - this.#held.length;
        position += bytesRead;
        yield* this.#lines(Buffer.concat([this.#held, chunk.subarray(0, bytesRead)]), start, noticed);
      }
      return position;
    } finally {
      await file.close();
    }
  }

  *#lines(bytes: Buffer, start: number, noticed: Noticed): Generator<Line, void> {
    let at = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, at)) {
      const text = bytes.toString('utf8', at, end);
      const place = start + at;
      at = end + 1;
      yield this.#line(text, noticed?.(place));
    }
    this.#held = Buffer.from(bytes.subarray(at));
    this.#heldMs = noticed?.(start + at);
    if (this.#held.length < longestLineBytes) return;
    const text = this.#held.toString('utf8');
    this.#held = Buffer.alloc(0);
    yield this.#line(text, noticed?.(start + at));
  }

  /** A line that tells no time was written with the one before it. */
  #line(text: string, noticedMs: number | undefined): Line {
    if (noticedMs !== undefined) {
      this.#lastMs = noticedMs;
      return { timestampMs: noticedMs, instance: this.#id, text };
    }
    const time = ownTime.exec(text);
    if (time !== null) this.#lastMs = Date.parse(time[1] as string);
    return { timestampMs: this.#lastMs, instance: this.#id, text: time === null ? text : text.slice(time[0].length) };
  }
}

const identity = async (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(
    ({ ino, mtimeNs, size }) => `${ino} ${mtimeNs} ${size}`,
    () => undefined,
  );
