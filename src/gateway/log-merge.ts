import type { Clock } from '../std/clock.ts';
import { isBefore } from './log-order.ts';
import { Bell, Source, type LogPart } from './log-source.ts';
import { Tail } from './log-tail.ts';
import type { LogLine } from './needs.ts';

export type MergeOptions = {
  /** Only so many of the newest lines; 0 = all. */
  readonly tail: number;
  /** Ends all parts; called when nobody reads any more. */
  readonly end: () => void;
  readonly clock: Pick<Clock, 'after'>;
};

/** A node that says nothing for so long does not hold up the others. */
const silentMs = 3_000;

/**
 * One log out of many, by time. A part that fails or falls silent ends for itself; the others go on. Holds one line a part,
 * or with `tail` that many in all.
 */
export const mergeLogs = async function* (
  parts: readonly LogPart[],
  options: MergeOptions,
): AsyncGenerator<LogLine, void, undefined> {
  const bell = new Bell();
  const sources = parts.map((part) => new Source(part, bell));
  try {
    if (options.tail > 0) yield* await newest(ordered(sources, options), options.tail);
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

const newest = async (lines: AsyncIterable<LogLine>, count: number): Promise<readonly LogLine[]> => {
  const tail = new Tail(count);
  for await (const line of lines) tail.add(line);
  return tail.lines;
};

const within = async (work: Promise<void>, ms: number, clock: Pick<Clock, 'after'>): Promise<void> => {
  let cancel = (): void => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  await Promise.race([work, late]).finally(cancel);
};
