import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../e2e/until.ts';
import { isSentence, whole, type Gateways } from './gateway.ts';

type Line = {
  readonly name: string;
  readonly namespace: string;
  readonly instance: string;
  readonly timestamp: string;
  readonly text: string;
};

const linesOf = (text: string): readonly Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

/** A function of each node, so that a test knows who writes. */
const constraints = (node: number): readonly string[] => [`skein.node==node-${node}`];

export const logCases = (gateways: () => Gateways): void => {
  const logs = async (query: string): Promise<readonly Line[]> => {
    const answer = await gateways().one.ask('GET', `/system/logs?${query}`);
    expect(answer.status, answer.text).toBe(200);
    return linesOf(answer.text);
  };
  const say = async (line: string): Promise<void> => {
    const answer = await gateways().one.call(`teller?do=log&line=${line}`);
    expect(answer.status, answer.text).toBe(200);
  };
  const texts = (lines: readonly Line[]): readonly string[] => lines.map(({ text }) => text);
  /** What is written is noticed a moment later. */
  const said = (...wanted: readonly string[]): Promise<readonly Line[]> =>
    until(`the log holds ${wanted.join(', ')}`, async () => {
      const lines = await logs('name=teller');
      return wanted.every((text) => texts(lines).includes(text)) && lines;
    });

  describe('§6 logs', () => {
    beforeAll(async () => {
      const { one } = gateways();
      await one.deploy({ service: 'teller', image: 'probe', constraints: [...constraints(2)] });
      await until('the other node sends its calls there', async () => (await one.call('teller')).status === 200);
    });

    afterAll(async () => gateways().one.remove('teller'));

    it('come from whichever node the function runs at, as NDJSON with five members a line', async () => {
      await say('first');
      const lines = await said('first');
      const line = lines.find(({ text }) => text === 'first')!;
      expect(Object.keys(line)).toEqual(['name', 'namespace', 'instance', 'timestamp', 'text']);
      expect(line).toMatchObject({ name: 'teller', namespace: 'openfaas-fn', text: 'first' });
      expect(line.instance).toMatch(/^node-2\/\w+$/);
      expect(line.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
      const answer = await gateways().one.ask('GET', '/system/logs?name=teller');
      expect(answer.headers['content-type']).toBe('application/x-ndjson');
      expect(answer.text).toMatch(/\}\n$/);
    });

    it('are cut to the newest by tail, and to what is not older by since', async () => {
      await say('old');
      await said('old');
      for (const line of ['a', 'b', 'c']) {
        await say(line);
        await said(line);
      }
      expect(texts(await logs('name=teller&tail=2'))).toEqual(['b', 'c']);
      const all = await until('the times of all lines are settled', async () => {
        const [lines, again] = [await logs('name=teller'), await logs('name=teller')];
        return JSON.stringify(lines) === JSON.stringify(again) && lines;
      });
      expect(texts(await logs('name=teller&tail=0'))).toEqual(texts(all));
      // Lines of a program that writes its own log bear the time at which they were noticed: several may share one.
      const { timestamp } = all.find(({ text }) => text === 'b')!;
      const notOlder = all.filter((line) => line.timestamp >= timestamp);
      expect(texts(await logs(`name=teller&since=${encodeURIComponent(timestamp)}`))).toEqual(texts(notOlder));
      expect(await logs('name=teller&since=2100-01-01T00:00:00Z')).toEqual([]);
      expect(texts(await logs('name=teller&since=2020-01-01T00:00:00%2B02:00'))).toContain('old');
    });

    it('are those of one instance: a replica, or a node', async () => {
      await say('whose');
      const lines = await said('whose');
      const { instance } = lines.at(-1)!;
      const [node = '', replica = ''] = instance.split('/');
      for (const wanted of [instance, node, replica]) {
        expect(texts(await logs(`name=teller&instance=${wanted}`)), wanted).toContain('whose');
      }
      expect(await logs('name=teller&instance=node-1')).toEqual([]);
      expect(await logs('name=teller&instance=nobody')).toEqual([]);
    });

    it('go on with follow, line by line, until the client leaves', async () => {
      const stream = await gateways().one.open('GET', '/system/logs?name=teller&follow=true&tail=1');
      expect(stream.statusCode).toBe(200);
      const reader = createInterface({ input: stream })[Symbol.asyncIterator]();
      const next = async (): Promise<string> => (JSON.parse((await reader.next()).value ?? '{}') as Line).text;
      await next();
      for (const line of ['live-1', 'live-2']) {
        await say(line);
        expect(await next()).toBe(line);
      }
      stream.destroy();
      // As many readers as a gateway takes could not follow one another if those that left were still counted.
      for (let reader = 0; reader < 40; reader += 1) {
        const another = await gateways().one.open('GET', '/system/logs?name=teller&follow=true');
        expect(another.statusCode).toBe(200);
        another.destroy();
        await until('the one that left is gone', async () => {
          const one = await gateways().one.ask('GET', '/system/logs?name=teller&tail=1');
          return one.status === 200;
        });
      }
    });

    it('give a line the same time whenever they are read', async () => {
      const first = new Map<string, string>();
      const read = async (): Promise<readonly Line[]> =>
        (await logs('name=teller')).filter(({ text }) => text.startsWith('steady-'));
      for (let round = 0; round < 10; round += 1) {
        await say(`steady-${round}`);
        for (const { text, timestamp } of await read()) if (!first.has(text)) first.set(text, timestamp);
      }
      await said('steady-9');
      for (const { text, timestamp } of await read()) {
        expect([text, timestamp]).toEqual([text, first.get(text) ?? timestamp]);
      }
    });

    it('end by themselves without follow', async () => {
      for (const follow of ['', '&follow=false', '&follow=0']) {
        const stream = await gateways().one.open('GET', `/system/logs?name=teller${follow}`);
        expect((await whole(stream)).status).toBe(200);
      }
    });

    it('are empty for a function that nobody knows', async () => {
      expect(await logs('name=nobody')).toEqual([]);
    });

    it.each(['name=teller&tail=many', 'name=teller&since=yesterday', 'tail=1', 'name='])(
      'are 422 for %s',
      async (query) => {
        const answer = await gateways().one.ask('GET', `/system/logs?${query}`);
        isSentence(answer, 422, 'could not parse the log request');
      },
    );
  });
};
