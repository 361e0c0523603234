import { describe, expect, it } from 'vitest';
import { isSentence, type Gateways } from './gateway.ts';
import type { Seen } from './invoke.cases.ts';

const system = [
  ['GET', '/system/functions'],
  ['POST', '/system/functions'],
  ['PUT', '/system/functions'],
  ['DELETE', '/system/functions'],
  ['GET', '/system/function/probe'],
  ['POST', '/system/scale-function/probe'],
  ['GET', '/system/info'],
  ['GET', '/system/secrets'],
  ['POST', '/system/secrets'],
  ['PUT', '/system/secrets'],
  ['DELETE', '/system/secrets'],
  ['GET', '/system/namespaces'],
  ['GET', '/system/namespace/openfaas-fn'],
  ['POST', '/system/namespace/'],
  ['DELETE', '/system/namespace/dev'],
  ['GET', '/system/logs?name=probe'],
  ['POST', '/system/alert'],
] as const;

const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

export const authCases = (gateways: () => Gateways): void => {
  describe('§1 authentication', () => {
    it.each(system)('%s %s asks for the password, word for word as OpenFaaS', async (method, path) => {
      const answer = await gateways().one.ask(method, path, { as: 'none' });
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Basic realm="Restricted"');
      expect(answer.headers['content-type']).toMatch(/^text\/plain/);
      expect(answer.text).toBe('invalid credentials');
    });

    it.each([
      ['another password', basic('admin:wrong')],
      ['another user', basic('root:wrong')],
      ['no colon', basic('admin')],
      ['no base64', 'Basic %%%'],
      ['a bearer token', 'Bearer abc'],
      ['nothing', ''],
    ])('refuses %s', async (_what, authorization) => {
      const answer = await gateways().one.ask('GET', '/system/functions', { headers: { authorization } });
      expect([answer.status, answer.text]).toEqual([401, 'invalid credentials']);
    });

    it('takes the same user and password at every node', async () => {
      const { one, two } = gateways();
      expect((await one.ask('GET', '/system/functions')).status).toBe(200);
      expect((await two.ask('GET', '/system/functions')).status).toBe(200);
    });

    it('asks nobody who calls a function, its health or its metrics', async () => {
      const { one } = gateways();
      expect((await one.call('probe')).status).toBe(200);
      expect((await one.ask('POST', '/async-function/probe')).status).toBe(202);
      expect((await one.ask('GET', '/healthz')).status).toBe(200);
      expect((await fetch(one.metricsUrl)).status).toBe(200);
    });

    it("hands a caller's own Authorization to the function untouched", async () => {
      const answer = await gateways().one.call('probe', { headers: { authorization: 'Bearer of-the-caller' } });
      expect(answer.json<Seen>().headers['authorization']).toBe('Bearer of-the-caller');
    });

    it('asks before it says what is there', async () => {
      const { one } = gateways();
      expect((await one.ask('GET', '/system/nothing', { as: 'none' })).status).toBe(401);
      isSentence(await one.ask('GET', '/system/nothing'), 404, '404 page not found');
    });
  });
};
