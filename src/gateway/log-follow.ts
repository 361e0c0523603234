import type { Clock } from '../std/clock.ts';
import { rest } from '../std/rest.ts';
import { byTime } from './log-order.ts';
import { LogPlace, type LogWish } from './log-place.ts';
import { Bell, Source, type LogPart } from './log-source.ts';
import { Tail } from './log-tail.ts';
import type { LogLine } from './needs.ts';

/** A node whose part of a log is followed. */
export type FollowedNode = {
  /** Tells it from the others, also when it comes back. */
  readonly key: string;
  /** What it has and, until `signal` aborts, what comes. */
  readonly ask: (wish: LogWish, signal: AbortSignal) => LogPart;
};

export type FollowOptions = LogWish & {
  /** Ends it, and all that is asked. */
  readonly signal: AbortSignal;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
};

/** Lines that come within this time of the start count as what was there already. */
const settleMs = 500;
/** Lines that are sorted before the first is given out. */
const maxEarly = 20_000;
/** How often it is looked who is there. */
const lookEveryMs = 2_000;
/** Before a node whose part ended is asked again. It doubles each time, until there is a line. */
const pauseMs = { least: 500, most: 5_000 };
/** A node that was asked for so long was reached, and told what it had. */
const heardMs = 10_000;
/** Nodes that are gone, of which it is known how far their logs were told. */
const maxGone = 100;

/**
 * The logs of all `nodes` as they come, first what is there at once by its time. `nodes` is asked again and again: who joins is
 * heard from then on, who is gone is let go. A node whose part ends or fails is asked again from where it left off. Holds one
 * line a node, and at the start what comes at once; goes on until the signal aborts.
 */
export const followLogs = async function* (
  nodes: () => readonly FollowedNode[],
  options: FollowOptions,
): AsyncGenerator<LogLine, void, undefined> {
  const parts = new Parts(nodes, options);
  try {
    yield* await early(parts, options);
    for (let source = await parts.ready(); source !== undefined; source = await parts.ready()) {
      const line = source.take();
      if (line !== undefined) yield line;
    }
  } finally {
    parts.end();
  }
};

const early = async (parts: Parts, { tail, clock }: FollowOptions): Promise<readonly LogLine[]> => {
  const lines: LogLine[] = [];
  let cancel = (): void => {};
  const settled = new Promise<undefined>((resolve) => {
    cancel = clock.after(settleMs, () => resolve(undefined));
  });
  for (;;) {
    const line = (await Promise.race([settled, parts.ready()]))?.take();
    if (line === undefined || lines.push(line) >= maxEarly) break;
  }
  cancel();
  const tailed = new Tail(tail);
  for (const line of lines.sort(byTime)) tailed.add(line);
  return tailed.lines;
};

type Part = { readonly source: Source; readonly gone: AbortController };

/** The part of each node that is there. */
class Parts {
  readonly #nodes: () => readonly FollowedNode[];
  readonly #options: FollowOptions;
  readonly #bell = new Bell();
  readonly #parts = new Map<string, Part>();
  /** Those of nodes that are gone come first. */
  readonly #places = new Map<string, LogPlace>();
  #there: ReadonlyMap<string, FollowedNode> = new Map();
  #cancelLook = (): void => {};
  #isEnded = false;

  constructor(nodes: () => readonly FollowedNode[], options: FollowOptions) {
    this.#nodes = nodes;
    this.#options = options;
    options.signal.addEventListener('abort', this.end);
    if (options.signal.aborted) this.end();
    else this.#look();
  }

  /** The first that has a line, those that waited longest first; undefined once all is over. */
  async ready(): Promise<Source | undefined> {
    while (!this.#isEnded) {
      let longest: Source | undefined;
      for (const [key, { source }] of this.#parts) {
        if (source.line === undefined) {
          if (source.ended) this.#parts.delete(key);
        } else if (longest === undefined || source.since < longest.since) longest = source;
      }
      if (longest !== undefined) return longest;
      for (const { source } of this.#parts.values()) source.begin();
      await this.#bell.rung();
    }
    return undefined;
  }

  readonly end = (): void => {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelLook();
    this.#options.signal.removeEventListener('abort', this.end);
    for (const { source, gone } of this.#parts.values()) {
      gone.abort();
      source.stop();
    }
    this.#bell.ring();
  };

  readonly #look = (): void => {
    this.#there = new Map(this.#nodes().map((node) => [node.key, node]));
    for (const [key, { gone }] of this.#parts) if (!this.#there.has(key)) gone.abort();
    for (const key of this.#there.keys()) if (!this.#parts.has(key)) this.#begin(key);
    for (const key of this.#places.keys()) {
      if (this.#places.size <= this.#parts.size + maxGone) break;
      if (!this.#parts.has(key)) this.#places.delete(key);
    }
    this.#bell.ring();
    this.#cancelLook = this.#options.clock.after(lookEveryMs, this.#look);
  };

  #begin(key: string): void {
    const place = this.#places.get(key) ?? new LogPlace(this.#options);
    this.#places.delete(key);
    this.#places.set(key, place);
    const gone = new AbortController();
    this.#parts.set(key, { gone, source: new Source(this.#lines(key, place, gone.signal), this.#bell) });
  }

  /** Of one node, for as long as it is there. */
  async *#lines(key: string, place: LogPlace, signal: AbortSignal): AsyncGenerator<LogLine, void, undefined> {
    const { clock } = this.#options;
    for (let wait = pauseMs.least; !signal.aborted; wait = Math.min(2 * wait, pauseMs.most)) {
      const begun = clock.monotonic();
      try {
        for await (const line of this.#there.get(key)?.ask(place.begin(), signal) ?? []) {
          if (!place.takes(line)) continue;
          wait = pauseMs.least;
          yield line;
        }
      } catch {
        // It is asked again.
      }
      if (clock.monotonic() - begun >= heardMs) place.heard();
      await rest(clock, wait, signal);
    }
  }
}
