import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../std/clock.ts';
import { rest } from '../../std/rest.ts';
import { longestLineBytes, type LogOptions, type ReplicaLine } from '../provider.ts';
import { nextPiece, type LogPiece } from './log-piece.ts';

/** Lines of the past that one reader gets, at most. */
const mostLines = 10_000;
const lookEveryMs = 200;
type Line = { readonly timestampMs: number; readonly instance: string; readonly text: string };

const told = ({ timestampMs, instance, text }: Line): ReplicaLine => ({
  timestamp: new Date(timestampMs).toISOString(),
  instance,
  text,
});

const ending = '.log';
const ownTime = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) /;
const anyTime = new RegExp(ownTime.source, 'm');

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
    for await (const line of reader.more()) {
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

/** For lines that tell no time, at the beginning of a log. */
const firstTime = ({ bytes, writtenMs }: LogPiece): number =>
  Date.parse(anyTime.exec(bytes.toString('latin1'))?.[1] ?? '') || writtenMs;

/** Reads one replica's log from where it left off, through the cuts that keep it short. */
class Reader {
  readonly #id: string;
  readonly #path: string;
  /** Counted over all that was ever written there. */
  #position = 0;
  #held: Buffer = Buffer.alloc(0);
  /** What comes up to the next line is left out. */
  #isTorn = false;
  /** When its beginning was noticed. */
  #heldMs: number | undefined;
  #lastMs = 0;

  constructor(folder: string, id: string) {
    this.#id = id;
    this.#path = join(folder, `${id}${ending}`);
  }

  /** What came since, up to where the log ends now. */
  async *more(): AsyncGenerator<Line, void> {
    let end: number | undefined;
    while (end === undefined || this.#position < end) {
      const piece = await nextPiece(this.#path, this.#position);
      if (piece === undefined) return;
      end ??= piece.end;
      // What came between was cut away, and with it the end of the line that was begun.
      if (piece.at !== this.#position) {
        this.#held = Buffer.alloc(0);
        this.#isTorn = piece.isTorn;
      }
      this.#position = piece.at + piece.bytes.length;
      if (this.#lastMs === 0) this.#lastMs = firstTime(piece);
      yield* this.#lines(Buffer.concat([this.#held, piece.bytes]), piece.at - this.#held.length, piece.noticed);
    }
  }

  /** A last line without an end. */
  rest(): Line | undefined {
    if (this.#held.length === 0) return undefined;
    const line = this.#line(this.#held.toString('utf8'), this.#heldMs);
    this.#held = Buffer.alloc(0);
    return line;
  }

  *#lines(bytes: Buffer, start: number, noticed: LogPiece['noticed']): Generator<Line, void> {
    let at = this.#isTorn ? bytes.indexOf(10) + 1 : 0;
    if (this.#isTorn && at === 0) return;
    this.#isTorn = false;
    for (let end = bytes.indexOf(10, at); end !== -1; end = bytes.indexOf(10, at)) {
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
