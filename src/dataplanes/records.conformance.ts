import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, echo, eventually, Gate, saying, times } from './calls.testing.ts';
import type { Nodes } from './serving.testing.ts';
import { functionPlan, TestNode, type OpenPlane } from './test-node.testing.ts';

type Line = Readonly<Record<string, string | number | boolean | undefined>>;

type Value = {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
};

/** What a plane's metrics say of a function. */
const valuesOf = async (node: TestNode, name: string, key: string): Promise<readonly Value[]> => {
  const metrics = (await node.plane.metrics()) as readonly {
    readonly name: string;
    readonly values: readonly Value[];
  }[];
  const values = metrics.find((metric) => metric.name === name)?.values ?? [];
  return values.filter(({ labels }) => labels['function_name'] === key);
};

/** What is told of each call, here as it is written down. */
export const recordsConformance = (nodes: Nodes, open: OpenPlane): void => {
  describe('the record of a call', () => {
    let started: readonly TestNode[] = [];
    beforeAll(async () => {
      const facts = { accessLog: true, maxBodyBytes: 1_000_000 };
      started = await Promise.all(['first', 'second'].map((name) => TestNode.start(name, open, facts)));
    });
    afterAll(async () => {
      await Promise.all(started.map((node) => node.stop()));
    });
    const pair = () => started as [TestNode, TestNode];

    const lineOf = async (node: TestNode, callId: string): Promise<Line> => {
      let found: Line | undefined;
      await eventually(async () => {
        const text = await readFile(join(node.facts.folder, 'access.log'), 'utf8').catch(() => '');
        const lines = text.split('\n').filter((line) => line.includes(callId));
        expect(lines.length).toBeLessThanOrEqual(1);
        found = lines[0] === undefined ? undefined : (JSON.parse(lines[0]) as Line);
        return found !== undefined;
      }, `a line of ${callId} is written`);
      return found as Line;
    };

    it('tells what happened, and nothing of queries, bodies and credentials', async () => {
      const [node] = pair();
      await node.apply(4, { told: functionPlan([await node.replica('told', echo)]) });
      await call(`${node.url}/function/told/deep/path?token=hidden-1`, {
        body: 'hidden-2 body',
        headers: {
          'x-call-id': 'id-told',
          authorization: 'Bearer hidden-3',
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        },
      });
      const line = await lineOf(node, 'id-told');
      expect(line).toEqual({
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        callId: 'id-told',
        function: 'told.openfaas-fn',
        method: 'POST',
        path: '/function/told/deep/path',
        status: 200,
        from: '127.0.0.1',
        fromPeer: false,
        servedBy: 'first',
        waitMs: expect.any(Number),
        runMs: expect.any(Number),
        durationMs: expect.any(Number),
        bytesIn: 13,
        bytesOut: 13,
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      });
      expect(await readFile(join(node.facts.folder, 'access.log'), 'utf8')).not.toContain('hidden');
    });

    it('is told at both nodes where a peer served, with long bodies counted', async () => {
      const [first, second] = pair();
      await second.apply(4, { there: functionPlan([await second.replica('there', echo)]) }, [first.asPeer(4)]);
      const there = functionPlan([], { peers: [{ id: second.id, weight: 1 }] });
      await first.apply(4, { there }, [second.asPeer(4)]);
      await call(`${first.url}/function/there`, { body: Buffer.alloc(300_000), headers: { 'x-call-id': 'id-there' } });
      const common = { callId: 'id-there', status: 200, servedBy: 'second', bytesIn: 300_000, bytesOut: 300_000 };
      expect(await lineOf(first, 'id-there')).toMatchObject({ ...common, from: '127.0.0.1', fromPeer: false });
      expect(await lineOf(second, 'id-there')).toMatchObject({ ...common, from: first.id, fromPeer: true });
    });

    it('counts nothing that a function says before its answer', async () => {
      const [node] = pair();
      const hints = 'HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n';
      const answer = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
      const early = await node.rawReplica('early', (socket) => {
        socket.once('data', () => socket.write(hints + answer));
      });
      await node.apply(4, { early: functionPlan([early]) });
      expect((await call(`${node.url}/function/early`, { headers: { 'x-call-id': 'id-early' } })).body).toBe('hello');
      expect(await lineOf(node, 'id-early')).toMatchObject({ status: 200, bytesOut: 5 });
    });

    it('says how a call failed', async () => {
      const [node] = pair();
      const gate = new Gate();
      const torn = await node.replica('torn', (_request, response) => {
        response.writeHead(200, { 'content-length': '9' }).write('half', () => response.destroy());
      });
      await node.apply(4, {
        slow: functionPlan([await node.replica('slow', gate.listener)], { timeoutMs: 1_000 }),
        torn: functionPlan([torn]),
        gone: functionPlan([await node.replica('gone', gate.listener)]),
        big: functionPlan([await node.replica('big', saying('read'))]),
      });
      const send = (name: string, body?: Buffer) =>
        call(`${node.url}/function/${name}?q`, { headers: { 'x-call-id': `id-${name}` }, ...(body && { body }) });
      await Promise.allSettled([send('slow'), send('torn'), send('nobody'), send('big', Buffer.alloc(1_000_001))]);
      const gone = httpRequest(`${node.url}/function/gone`, { agent: false, headers: { 'x-call-id': 'id-gone' } });
      gone.on('error', () => undefined);
      gone.end();
      await gate.arrived(2);
      gone.destroy();
      expect(await lineOf(node, 'id-slow')).toMatchObject({ status: 504, reason: 'timeout' });
      expect(await lineOf(node, 'id-torn')).toMatchObject({
        status: 502,
        reason: 'function-failed',
        servedBy: 'first',
      });
      expect(await lineOf(node, 'id-gone')).toMatchObject({ status: 499 });
      expect(await lineOf(node, 'id-big')).toMatchObject({ status: 413, reason: 'too-large', runMs: 0 });
      expect(await lineOf(node, 'id-nobody')).toMatchObject({ status: 404, reason: 'unknown-function' });
    });

    it('keeps the wait apart from the run', async () => {
      const [node] = pair();
      const gate = new Gate();
      const { timeoutMs } = functionPlan([]);
      await node.apply(1, {
        apart: functionPlan([await node.replica('apart', gate.listener)], { queueMs: timeoutMs }),
      });
      const first = call(`${node.url}/function/apart`, { headers: { 'x-call-id': 'id-runs' } });
      await gate.arrived(1);
      const second = call(`${node.url}/function/apart`, { headers: { 'x-call-id': 'id-waits' } });
      await eventually(async () => (await node.observed('apart')).queued === 1, 'the second waits');
      await new Promise((resolve) => setTimeout(resolve, 100));
      gate.open();
      const answers = await Promise.all([first, second]);
      for (const { headers } of answers) expect(headers['x-duration-seconds']).toMatch(/^\d+\.\d{6}$/);
      const [runs, waits] = [await lineOf(node, 'id-runs'), await lineOf(node, 'id-waits')];
      expect(Number(runs['runMs'])).toBeGreaterThanOrEqual(90);
      expect(Number(waits['waitMs'])).toBeGreaterThanOrEqual(90);
      expect(Number(waits['waitMs']) + Number(waits['runMs'])).toBeCloseTo(Number(waits['durationMs']), 1);
    });

    it('says the same as the metrics', async () => {
      const [node] = pair();
      const gate = new Gate();
      const { timeoutMs } = functionPlan([]);
      await node.apply(1, {
        counted: functionPlan([await node.replica('counted', gate.listener)], { queueMs: timeoutMs }),
      });
      const calls = times(2, () => call(`${node.url}/function/counted`));
      await eventually(async () => (await node.observed('counted')).queued === 1, 'the second waits');
      await new Promise((resolve) => setTimeout(resolve, 100));
      gate.open();
      await Promise.all(calls);
      const partOf = async (name: string, part: string): Promise<number | undefined> => {
        const values = await valuesOf(node, name, 'counted.openfaas-fn');
        return values.find(({ metricName }) => metricName === `${name}_${part}`)?.value;
      };
      const names = ['skein_queue_wait_seconds', 'skein_run_seconds'] as const;
      await eventually(
        async () => (await Promise.all(names.map((name) => partOf(name, 'count')))).every((count) => count === 2),
        'both are counted',
      );
      for (const name of names) expect(await partOf(name, 'sum')).toBeGreaterThanOrEqual(0.09);
    });

    it('counts statuses and where calls went as the metrics do', async () => {
      const [first, second] = pair();
      const refusing = await second.replica('refusing', (_request, response) => response.writeHead(418).end());
      await second.apply(4, { teapot: functionPlan([refusing]) }, [first.asPeer(4)]);
      const away = functionPlan([], { peers: [{ id: second.id, weight: 1 }] });
      await first.apply(4, { teapot: away }, [second.asPeer(4)]);
      for (const _turn of times(3, () => 0)) {
        expect((await call(`${first.url}/function/teapot`)).status).toBe(418);
      }
      const counted = (name: string) => valuesOf(first, name, 'teapot.openfaas-fn');
      await eventually(
        async () => (await counted('gateway_function_invocation_total')).some(({ value }) => value === 3),
        'all are counted',
      );
      expect(await counted('gateway_function_invocation_total')).toMatchObject([{ labels: { code: '418' } }]);
      expect(await counted('gateway_function_invocation_started')).toMatchObject([{ value: 3 }]);
      expect(await counted('skein_requests_forwarded_total')).toMatchObject([
        { value: 3, labels: { peer: second.facts.name } },
      ]);
    });
  });

  describe('how long a call ran', () => {
    it.each([
      ['in seconds, to the microsecond', {}, /^\d+\.\d{6}$/],
      ['as the function says it', { 'X-Duration-Seconds': '7.5' }, /^7\.5$/],
    ])('is told %s', async (how, headers, said) => {
      const { a: at } = nodes();
      const replica = await at.replica(`timed-${how.slice(0, 2)}`, (_request, response) =>
        response.writeHead(200, headers).end(),
      );
      await at.apply(4, { timed: functionPlan([replica]) });
      expect((await call(`${at.url}/function/timed`)).headers['x-duration-seconds']).toMatch(said);
    });
  });
};
