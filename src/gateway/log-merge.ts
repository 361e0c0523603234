import type { Clock } from '../std/clock.ts';
import type { LogLine } from './needs.ts';

/** One node's part of a function's log, oldest line first. */
export type LogPart = AsyncIterable<LogLine>;

export type MergeOptions = {
  /** Only so many of the newest lines of what is there already; 0 = all. */
  readonly tail: number;
  /** Goes on with what comes after that, until whoever reads stops. */
  readonly follow: boolean;
  /** Ends all parts; called when nobody reads any more. */
  readonly end: () => void;
  readonly clock: Pick<Clock, 'after'>;
};

/** A node that says nothing for so long does not hold up the others. */
const silentMs = 3_000;
/** When following, lines that come within this time of the start count as what was there already. */
const settleMs = 500;
/** Lines that are sorted before the first is given out, when following. */
const maxEarly = 20_000;
/** Of the lines kept for `tail`, characters; the oldest go first. */
const maxKept = 8 * 1024 * 1024;

/**
 * One log out of many, by time. A part that fails or falls silent ends for itself; the others go on. Holds one line a part,
 * or with `tail` that many in all; when it follows, first what comes at once.
 */
export const mergeLogs = async function* (
  parts: readonly LogPart[],
  options: MergeOptions,
): AsyncGenerator<LogLine, void, undefined> {
  const bell = new Bell();
  const sources = parts.map((part) => new Source(part, bell));
  try {
    if (options.follow) yield* followed(sources, bell, options);
    else if (options.tail > 0) yield* await newest(ordered(sources, options), options.tail);
    else yield* ordered(sources, options);
  } finally {
    options.end();
    for (const source of sources) source.stop();
  }
};

const ordered = async function* (
  sources: readonly Source[],
  { clock }: MergeOptions,
): AsyncGenerator<LogLine, void, undefined> {
  let open = sources;
  for (;;) {
    const empty = open.filter((source) => source.line === undefined);
    await Promise.all(empty.map((source) => within(source.ready(), silentMs, clock)));
    open = open.filter((source) => source.line !== undefined);
    const [first, ...others] = open;
    if (first === undefined) return;
    const next = others.reduce((oldest, source) => (isBefore(source.line, oldest.line) ? source : oldest), first);
    const line = next.take();
    if (line !== undefined) yield line;
  }
};

const followed = async function* (
  sources: readonly Source[],
  bell: Bell,
  { tail, clock }: MergeOptions,
): AsyncGenerator<LogLine, void, undefined> {
  const early: LogLine[] = [];
  let cancel = (): void => {};
  const settled = new Promise<undefined>((resolve) => {
    cancel = clock.after(settleMs, () => resolve(undefined));
  });
  for (;;) {
    const line = (await Promise.race([settled, ready(sources, bell)]))?.take();
    if (line === undefined || early.push(line) >= maxEarly) break;
  }
  cancel();
  const tailed = new Tail(tail);
  for (const line of early.sort(byTime)) tailed.add(line);
  yield* tailed.lines;
  for (let source = await ready(sources, bell); source !== undefined; source = await ready(sources, bell)) {
    const line = source.take();
    if (line !== undefined) yield line;
  }
};

/** The first source that has a line; undefined once all have ended. Those that waited longest come first. */
const ready = async (sources: readonly Source[], bell: Bell): Promise<Source | undefined> => {
  for (;;) {
    const open = sources.filter((source) => !source.ended);
    if (open.length === 0) return undefined;
    const full = open.filter((source) => source.line !== undefined).sort((a, b) => a.since - b.since)[0];
    if (full !== undefined) return full;
    for (const source of open) source.begin();
    await bell.rung();
  }
};

const newest = async (lines: AsyncIterable<LogLine>, count: number): Promise<readonly LogLine[]> => {
  const tail = new Tail(count);
  for await (const line of lines) tail.add(line);
  return tail.lines;
};

/** The newest lines of many, at most `count` (0 = no bound) and at most `maxKept` characters. */
class Tail {
  readonly #count: number;
  #lines: LogLine[] = [];
  #start = 0;
  #kept = 0;

  constructor(count: number) {
    this.#count = count;
  }

  add(line: LogLine): void {
    this.#lines.push(line);
    this.#kept += line.text.length;
    while (this.#kept > maxKept || (this.#count > 0 && this.#lines.length - this.#start > this.#count)) {
      this.#kept -= this.#lines[this.#start++]?.text.length ?? 0;
    }
    if (this.#start < 1_000 || this.#start * 2 < this.#lines.length) return;
    this.#lines = this.#lines.slice(this.#start);
    this.#start = 0;
  }

  get lines(): readonly LogLine[] {
    return this.#lines.slice(this.#start);
  }
}

/**
 * Rings when a source has a line or ended. Who follows waits for this alone: what waits for a source that says nothing would
 * be kept for as long as it does, once for each line of the others.
 */
class Bell {
  #next = Promise.withResolvers<void>();

  ring(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  rung(): Promise<void> {
    return this.#next.promise;
  }
}

/** Calls `line` its next one; reads no further until that is taken. */
class Source {
  line: LogLine | undefined;
  ended = false;
  /** When its line came, counted over all sources. */
  since = 0;
  readonly #iterator: AsyncIterator<LogLine>;
  readonly #bell: Bell;
  #pending: Promise<void> | undefined;

  constructor(part: LogPart, bell: Bell) {
    this.#iterator = part[Symbol.asyncIterator]();
    this.#bell = bell;
  }

  /** Reads on, unless it does already, or its line was not taken. */
  begin(): void {
    if (this.line === undefined && !this.ended) this.#pending ??= this.#read();
  }

  /** Resolves when there is a line or the end. */
  async ready(): Promise<void> {
    this.begin();
    await this.#pending;
  }

  take(): LogLine | undefined {
    const { line } = this;
    this.line = undefined;
    return line;
  }

  stop(): void {
    this.ended = true;
    void Promise.resolve(this.#iterator.return?.()).catch(() => undefined);
  }

  async #read(): Promise<void> {
    try {
      const next = await this.#iterator.next();
      if (next.done === true || this.ended) this.ended = true;
      else {
        this.line = next.value;
        this.since = ++arrivals;
      }
    } catch {
      this.ended = true;
    }
    this.#pending = undefined;
    this.#bell.ring();
  }
}

let arrivals = 0;

const within = async (work: Promise<void>, ms: number, clock: Pick<Clock, 'after'>): Promise<void> => {
  let cancel = (): void => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  await Promise.race([work, late]).finally(cancel);
};

/** Times are ISO 8601 in UTC; one of finer resolution is later than its own beginning, which the shorter text spells. */
const isBefore = (a: LogLine | undefined, b: LogLine | undefined): boolean =>
  timeOf(a) === timeOf(b) ? (a?.timestamp ?? '') < (b?.timestamp ?? '') : timeOf(a) < timeOf(b);

const byTime = (a: LogLine, b: LogLine): number => (isBefore(a, b) ? -1 : isBefore(b, a) ? 1 : 0);

const timeOf = (line: LogLine | undefined): number => Date.parse(line?.timestamp ?? '') || 0;
