import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPeerHost } from './peer-host.ts';
import { asAdmin, call, credentials, requestOver, startTestNode } from './node.fixture.ts';
import type { TestNode } from './node.fixture.ts';
import type { FunctionHost, LogLine, LogQuery, PeerHost } from './needs.ts';

const now = Date.now();
const line = (secondsAgo: number, instance: string): LogLine => ({
  timestamp: new Date(now - secondsAgo * 1_000).toISOString(),
  instance,
  text: `said ${secondsAgo} s ago "é"`,
});

let node: TestNode;
let other: TestNode;

beforeAll(async () => {
  node = await startTestNode('node-1');
  other = await startTestNode('node-2');
  node.written.set('figlet', [line(600, 'r1'), line(30, 'r1'), line(10, 'r2')]);
  other.written.set('figlet', [line(20, 'r1'), line(5, 'r3')]);
  const broken: PeerHost = {
    ...createPeerHost({ id: 'node-3', name: 'node-3' }, () => Promise.reject(new Error('gone'))),
    logs: async function* () {
      yield line(25, 'r9');
      throw new Error('gone');
    },
  };
  node.peers.push(createPeerHost({ id: 'node-2', name: 'node-2' }, requestOver(other.peerSocket)), broken);
});

afterAll(async () => {
  await node.stop();
  await other.stop();
});

type Line = LogLine & { readonly name: string; readonly namespace: string };

const linesOf = (body: string): readonly Line[] =>
  body
    .split('\n')
    .slice(0, -1)
    .map((text) => JSON.parse(text) as Line);

const read = async (query: string): Promise<readonly string[]> => {
  const answer = await asAdmin(node, 'GET', `/system/logs?${query}`);
  expect(answer.status).toBe(200);
  return linesOf(answer.body).map(({ instance }) => instance);
};

/** Follows over the real socket; leaving is destroying the answer. */
const follow = (path: string, socketPath: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, headers: { host: 'x', ...credentials } }, resolve);
    outgoing.on('error', reject);
    outgoing.end();
  });

/** What functions said at several nodes; a node that follows tells that, and what comes. */
class Speech {
  readonly #said: (LogLine & { readonly node: string })[] = [];
  #heard = Promise.withResolvers<void>();

  say(node: string, text: string): void {
    this.#said.push({ node, timestamp: new Date().toISOString(), instance: 'r1', text });
    this.#heard.resolve();
    this.#heard = Promise.withResolvers<void>();
  }

  host(name: string): FunctionHost {
    return {
      id: name,
      name,
      list: async () => [],
      scale: async () => {},
      logs: (query, signal) => this.#lines(name, query, signal),
    };
  }

  async *#lines(name: string, { since }: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
    const left = signal.aborted ? Promise.resolve() : once(signal, 'abort');
    for (let at = 0; !signal.aborted;) {
      const said = this.#said[at++];
      if (said === undefined) {
        at -= 1;
        await Promise.race([this.#heard.promise, left]);
      } else if (said.node === name && Date.parse(said.timestamp) >= since) yield said;
    }
  }
}

describe('logs', () => {
  it('are those of all nodes, by time, each line with its node', async () => {
    const answer = await asAdmin(node, 'GET', '/system/logs?name=figlet');
    expect(answer.headers['content-type']).toBe('application/x-ndjson');
    const lines = linesOf(answer.body);
    expect(lines[0]).toEqual({ ...line(30, 'node-1/r1'), name: 'figlet', namespace: 'openfaas-fn' });
    expect(lines.map(({ instance }) => instance)).toEqual([
      'node-1/r1',
      'node-3/r9',
      'node-2/r1',
      'node-1/r2',
      'node-2/r3',
    ]);
  });

  it('can be cut to the newest, to a time, to a node and to a replica', async () => {
    expect(await read('name=figlet&tail=2')).toEqual(['node-1/r2', 'node-2/r3']);
    expect(await read('name=figlet&tail=-1&instance=node-2')).toEqual(['node-2/r1', 'node-2/r3']);
    expect(await read('name=figlet&instance=node-1/r1')).toEqual(['node-1/r1']);
    expect(await read('name=figlet&instance=r3')).toEqual(['node-3/r9', 'node-2/r3']);
    const since = encodeURIComponent(new Date(now - 700_000).toISOString());
    expect(await read(`name=figlet.openfaas-fn&since=${since}&instance=node-1`)).toHaveLength(3);
  });

  it('of an unknown function are empty', async () => {
    expect(await asAdmin(node, 'GET', '/system/logs?name=absent&instance=node-1')).toMatchObject({
      status: 200,
      body: '',
    });
    expect(await asAdmin(node, 'HEAD', '/system/logs?name=figlet&follow=true')).toMatchObject({
      status: 200,
      body: '',
    });
  });

  it.each(['', 'name=a%20b', 'name=a&tail=x', 'name=a&tail=1e3', 'name=a&tail=99999', 'name=a&since=yesterday'])(
    'are refused for %j',
    async (query) => {
      const answer = await asAdmin(node, 'GET', `/system/logs?${query}`);
      expect(answer.status).toBe(422);
      expect(answer.body).toMatch(/^could not parse the log request/);
    },
  );

  it('are followed until the client leaves, and then end at every node', async () => {
    const ends: Promise<unknown>[] = [];
    const queries: LogQuery[] = [];
    let say = (_line: LogLine): void => {};
    const live = new Promise<LogLine>((resolve) => {
      say = resolve;
    });
    const here: FunctionHost = {
      id: 'node-9',
      name: 'node-9',
      list: async () => [],
      scale: async () => {},
      logs: async function* (query, signal) {
        queries.push(query);
        const ended = once(signal, 'abort');
        ends.push(ended);
        yield await live;
        await ended;
      },
    };
    const far = await startTestNode('node-9', { here });
    const near = await startTestNode('node-8', {
      here: { ...here, id: 'node-8', name: 'node-8' },
      peers: () => [createPeerHost({ id: 'node-9', name: 'node-9' }, requestOver(far.peerSocket))],
    });
    const answer = await follow('/system/logs?name=figlet&follow=true&tail=5', near.systemSocket);
    expect(answer.statusCode).toBe(200);
    const lines = createInterface({ input: answer })[Symbol.asyncIterator]();
    const both = [lines.next(), lines.next()];
    say(line(0, 'r1'));
    const seen = (await Promise.all(both)).map(({ value }) => (JSON.parse(value as string) as Line).instance);
    expect(seen.toSorted()).toEqual(['node-8/r1', 'node-9/r1']);
    expect(queries.map(({ follow, tail }) => [follow, tail])).toEqual([
      [true, 5],
      [true, 5],
    ]);
    answer.destroy();
    expect(ends).toHaveLength(2);
    await Promise.all(ends);
    await near.stop();
    await far.stop();
  });

  it('go on with a node that was restarted, each line once, and with one that joins', async () => {
    const spoken = new Speech();
    const near = await startTestNode('node-8', { here: spoken.host('node-8'), peers: () => peers });
    const before = await startTestNode('node-9', { here: spoken.host('node-9') });
    let peers = [createPeerHost({ id: 'node-9', name: 'node-9' }, requestOver(before.peerSocket))];
    const answer = await follow('/system/logs?name=figlet&follow=true', near.systemSocket);
    const lines = createInterface({ input: answer })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => {
      const { instance, text } = JSON.parse((await lines.next()).value as string) as Line;
      return `${instance} ${text}`;
    };
    spoken.say('node-9', 'one');
    expect(await next()).toBe('node-9/r1 one');
    await before.stop();
    spoken.say('node-9', 'two');
    const after = await startTestNode('node-9', { here: spoken.host('node-9') });
    peers = [createPeerHost({ id: 'node-9', name: 'node-9' }, requestOver(after.peerSocket))];
    expect(await next()).toBe('node-9/r1 two');
    const joined = await startTestNode('node-10', { here: spoken.host('node-10') });
    peers = [...peers, createPeerHost({ id: 'node-10', name: 'node-10' }, requestOver(joined.peerSocket))];
    spoken.say('node-10', 'three');
    expect(await next()).toBe('node-10/r1 three');
    answer.destroy();
    for (const node of [near, after, joined]) await node.stop();
  });

  it('are given to a bounded number of readers, and to the next when one leaves', async () => {
    const path = '/system/logs?name=figlet&follow=true';
    const readers: IncomingMessage[] = [];
    for (let index = 0; index < 32; index++) readers.push(await follow(path, other.systemSocket));
    const refused = await call(other.systemSocket, 'GET', path, { headers: credentials });
    expect(refused.status).toBe(503);
    for (const reader of readers) reader.destroy();
    for (let tries = 0; ; tries++) {
      const { status } = await call(other.systemSocket, 'GET', '/system/logs?name=figlet', { headers: credentials });
      if (status === 200) break;
      expect(tries).toBeLessThan(1_000);
    }
  });
});
