import { z } from 'zod';
import { SkeinError } from '../domain/errors.ts';
import type { Call, Handler } from './call.ts';
import { followLogs, type FollowedNode } from './log-follow.ts';
import { mergeLogs } from './log-merge.ts';
import type { Names } from './names.ts';
import type { FunctionHost, GatewayNeeds, LogLine, LogQuery } from './needs.ts';
import { text } from './responses.ts';

/** Lines that may be asked for; more would have to be kept before the first is sent. */
const maxTail = 10_000;
const defaultSinceMs = 5 * 60_000;
/** Logs read at once, by clients and by peers each; every one holds a connection to each peer. */
const maxReaders = 32;

export const logHandlers = (needs: GatewayNeeds, names: Names): Record<'logs' | 'nodeLogs', Handler> => {
  const clients = new Readers();
  const peers = new Readers();
  return {
    logs: async (call) => {
      const asked = parse(call.query, needs.clock.now());
      if (typeof asked === 'string') return text(422, `could not parse the log request: ${asked}`);
      const ref = names.refOf(asked.name, null, call.query.get('namespace'));
      return clients.answer(call, (end) => merged({ ...asked, ...ref }, call, needs, end));
    },

    nodeLogs: async (call) => {
      const asked = parse(call.query, needs.clock.now());
      if (typeof asked === 'string') return text(422, `could not parse the log request: ${asked}`);
      const query = { ...asked, namespace: call.query.get('namespace') ?? '' };
      const replica = call.query.get('instance');
      return peers.answer(call, (signal) =>
        needs.here.logs({ ...query, ...(replica !== null && { replica }) }, signal),
      );
    },
  };
};

/** Asks every node, and tells of each line where it comes from. */
const merged = (query: LogQuery, call: Call, needs: GatewayNeeds, signal: AbortSignal): AsyncIterable<object> => {
  const { name, namespace, tail, since, follow } = query;
  const { clock } = needs;
  const nodes = (): readonly FollowedNode[] =>
    choose(call.query.get('instance'), [needs.here, ...needs.peers()]).map((chosen) => askable(query, chosen));
  const lines = follow ? followLogs(nodes, { tail, since, signal, clock }) : mergedOnce(nodes(), query, clock, signal);
  return mapped(lines, ({ instance, timestamp, text }) => ({ name, namespace, instance, timestamp, text }));
};

const mergedOnce = (
  nodes: readonly FollowedNode[],
  query: LogQuery,
  clock: GatewayNeeds['clock'],
  signal: AbortSignal,
): AsyncIterable<LogLine> => {
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  const parts = nodes.map(({ ask }) => ask(query, stop));
  return mergeLogs(parts, { tail: query.tail, end: () => ended.abort(), clock });
};

type Chosen = { readonly host: FunctionHost; readonly replica?: string };

/** Two nodes may have one name. */
const askable = (query: LogQuery, { host, replica }: Chosen): FollowedNode => ({
  key: `${host.id} ${replica ?? ''}`,
  ask: ({ tail, since }, signal) =>
    labelled(host.logs({ ...query, tail, since, ...(replica !== undefined && { replica }) }, signal), host.name),
});

/** `NODE/REPLICA`, or one of both alone. */
const choose = (instance: string | null, hosts: readonly FunctionHost[]): readonly Chosen[] => {
  if (!instance) return hosts.map((host) => ({ host }));
  const slash = instance.indexOf('/');
  const node = slash < 0 ? instance : instance.slice(0, slash);
  const named = hosts.filter(({ name }) => name === node);
  if (slash >= 0) return named.map((host) => ({ host, replica: instance.slice(slash + 1) }));
  return named.length > 0 ? named.map((host) => ({ host })) : hosts.map((host) => ({ host, replica: instance }));
};

const labelled = (lines: AsyncIterable<LogLine>, node: string): AsyncIterable<LogLine> =>
  mapped(lines, (line) => ({ ...line, instance: `${node}/${line.instance}` }));

const mapped = async function* <From, To>(
  items: AsyncIterable<From>,
  change: (item: From) => To,
): AsyncGenerator<To, void, undefined> {
  for await (const item of items) yield change(item);
};

/** Those who read logs now, a bounded number. */
class Readers {
  #count = 0;

  /** The lines of `open` as NDJSON, one by one as the client takes them; its signal ends them when the client leaves. */
  answer(call: Call, open: (signal: AbortSignal) => AsyncIterable<object>): Response {
    const headers = {
      'content-type': 'application/x-ndjson',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    };
    if (call.method === 'HEAD') return new Response(null, { headers });
    if (this.#count >= maxReaders) {
      throw new SkeinError(
        'unavailable',
        `${maxReaders} logs are being read here already: end one, or ask another node`,
      );
    }
    this.#count++;
    const left = new AbortController();
    const close = (): void => {
      if (left.signal.aborted) return;
      this.#count--;
      left.abort();
    };
    if (call.signal.aborted) close();
    else call.signal.addEventListener('abort', close, { once: true });
    const lines = open(left.signal)[Symbol.asyncIterator]();
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const next = await lines.next().catch(() => undefined);
          if (next === undefined || next.done === true) {
            close();
            controller.close();
            return;
          }
          controller.enqueue(Buffer.from(`${JSON.stringify(next.value)}\n`));
        },
        cancel: () => close(),
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers });
  }
}

const rfc3339 = z.iso.datetime({ offset: true });

type Asked = Pick<LogQuery, 'name' | 'tail' | 'since' | 'follow'>;

/** What a query asks for, or what is wrong with it. */
const parse = (query: URLSearchParams, now: number): Asked | string => {
  const name = query.get('name') ?? '';
  if (!/^[-a-zA-Z_0-9.]{1,128}$/.test(name)) return 'name: must be the name of a function';
  const tail = query.get('tail') || '0';
  if (!/^-?\d{1,9}$/.test(tail) || Number(tail) > maxTail) return `tail: must be a whole number, at most ${maxTail}`;
  const since = query.get('since');
  if (since && !rfc3339.safeParse(since).success) return 'since: must be a time such as 2026-01-31T12:00:00Z';
  return {
    name,
    // As in OpenFaaS: zero and less mean all.
    tail: Math.max(0, Number(tail)),
    since: since ? Date.parse(since) : now - defaultSinceMs,
    follow: ['1', 't', 'true'].includes((query.get('follow') ?? '').toLowerCase()),
  };
};
