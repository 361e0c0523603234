import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../e2e/until.ts';
import { isSentence, type Asked, type Gateways } from './gateway.ts';

const lines = (text: string): ReadonlyMap<string, string> =>
  new Map(text.split('\n').map((line) => [line.split('=', 1)[0]!, line.slice(line.indexOf('=') + 1)]));

/** Functions of one image, each with its own program. */
const programs: Readonly<Record<string, { envProcess: string; envVars?: Record<string, string> }>> = {
  echoes: { envProcess: 'cat' },
  'tells-env': { envProcess: 'env', envVars: { GREETING: 'hello', 'with.dot': '1' } },
  sums: { envProcess: 'sha512sum' },
  fails: { envProcess: 'ls /nonexistent' },
  combined: { envProcess: 'node -e console.log("out");console.error("err")' },
  apart: {
    envProcess: 'node -e console.log("out");console.error("err")',
    envVars: { combine_output: 'false', content_type: 'text/x-own' },
  },
  slow: { envProcess: 'sleep 20', envVars: { exec_timeout: '300ms' } },
};

export const watchdogCases = (gateways: () => Gateways): void => {
  const call = (name: string, asked: Asked = {}) => gateways().one.call(name, asked);

  describe('§11 what a program may expect of the classic watchdog', () => {
    beforeAll(async () => {
      const { one } = gateways();
      const constraints = ['skein.node==node-1'];
      const deployments = Object.entries(programs).map(([service, program]) => ({ service, image: 'cat', ...program }));
      await Promise.all(deployments.map((deployment) => one.deploy({ ...deployment, constraints })));
    });

    afterAll(async () => {
      for (const name of Object.keys(programs)) await gateways().one.remove(name);
    });

    it('fprocess=cat answers with the body, its type and how long it took', async () => {
      const answer = await call('echoes', { body: 'exactly this\n', headers: { 'content-type': 'text/csv' } });
      expect([answer.status, answer.text]).toEqual([200, 'exactly this\n']);
      expect(answer.headers['content-type']).toBe('text/csv');
      expect(answer.headers['x-duration-seconds']).toMatch(/^\d+\.\d{6}$/);
    });

    it('keeps every byte', async () => {
      const body = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256));
      expect((await call('echoes', { body })).bytes.equals(body)).toBe(true);
    });

    it('fprocess=sha512sum answers with the digest', async () => {
      const digest = createHash('sha512').update('skein').digest('hex');
      expect((await call('sums', { body: 'skein' })).text).toBe(`${digest}  -\n`);
    });

    it('fprocess=env has the request, as CGI tells it, and the variables of the deployment', async () => {
      const answer = await call('tells-env/a%20path/x?q=1&r=%2F', {
        body: 'four',
        headers: { host: 'api.example.org', 'x-own-header': 'Kept', 'content-type': 'text/csv', 'x-call-id': 'the-id' },
      });
      const env = lines(answer.text);
      expect(Object.fromEntries(env)).toMatchObject({
        GREETING: 'hello',
        'with.dot': '1',
        fprocess: 'env',
        Http_Method: 'POST',
        Http_Path: '/a path/x',
        Http_Query: 'q=1&r=%2F',
        Http_ContentLength: '4',
        Http_Content_Length: '4',
        Http_Content_Type: 'text/csv',
        Http_X_Own_Header: 'Kept',
        Http_X_Call_Id: 'the-id',
        Http_X_Forwarded_Host: 'api.example.org',
        Http_X_Forwarded_For: '127.0.0.1',
      });
      expect(env.get('Http_X_Start_Time')).toMatch(/^\d{19}$/);
      expect(answer.text).not.toContain('four');
    });

    it('a program that fails is 500, with its status and what it wrote', async () => {
      const answer = await call('fails');
      expect(answer.status).toBe(500);
      expect(answer.text).toMatch(/^exit status 2\n/);
      expect(answer.text).toContain('/nonexistent');
      expect(answer.headers).not.toHaveProperty('x-skein-reason');
    });

    it('what goes to stderr is in the answer too, unless combine_output is false', async () => {
      expect((await call('combined')).text).toBe('out\nerr\n');
      const apart = await call('apart');
      expect([apart.text, apart.headers['content-type']]).toEqual(['out\n', 'text/x-own']);
    });

    it('exec_timeout ends the program, with 408', async () => {
      const answer = await call('slow');
      expect([answer.status, answer.text]).toEqual([408, 'Killed process.\n']);
    });

    it.each(['HEAD', 'OPTIONS'])('%s is 405', async (method) => {
      expect((await gateways().one.ask(method, '/function/echoes')).status).toBe(405);
    });

    it.each(['GET', 'PUT', 'PATCH', 'DELETE'])('%s runs the program too', async (method) => {
      const answer = await gateways().one.ask(method, '/function/echoes', { body: 'hello' });
      expect([answer.status, answer.text]).toEqual([200, 'hello']);
    });

    it('GET /_/health says OK, and other verbs are 405', async () => {
      const { one } = gateways();
      const healthy = await one.ask('GET', '/function/echoes/_/health');
      expect([healthy.status, healthy.text]).toEqual([200, 'OK']);
      expect((await one.ask('POST', '/function/echoes/_/health')).status).toBe(405);
    });

    it('each call leaves two lines in the log', async () => {
      await call('sums', { body: 'x' });
      await until('both lines are there', async () => {
        const { text } = await gateways().one.ask('GET', '/system/logs?name=sums');
        return text.includes('"Forking fprocess."') && /"Wrote \d+ Bytes - Duration: \d+\.\d+s"/.test(text);
      });
    });

    it('max_inflight bounds what runs at once: the rest waits its turn, or is refused by the platform', async () => {
      const { one } = gateways();
      const constraints = ['skein.node==node-1'];
      const envVars = { max_inflight: '1' };
      const labels = { 'com.openfaas.scale.max': '1' };
      await one.deploy({ service: 'narrow', image: 'cat', envProcess: 'sleep 0.1', envVars, labels, constraints });
      // Six seconds of work at least, where a call waits for one: some are refused, and the first is over while the next still waits.
      const answers = await Promise.all(Array.from({ length: 60 }, () => call('narrow')));
      const refused = answers.filter(({ status }) => status !== 200);
      expect(answers.length - refused.length).toBeGreaterThanOrEqual(2);
      expect(refused.length).toBeGreaterThan(0);
      for (const answer of refused) {
        expect([429, 503]).toContain(answer.status);
        isSentence(answer, answer.status, 'narrow.openfaas-fn');
        expect(['full', 'queue-timeout']).toContain(answer.headers['x-skein-reason']);
        expect(answer.headers['retry-after']).toBe('1');
      }
      await one.remove('narrow');
    });
  });
};
