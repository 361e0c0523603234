import { describe, expect, it } from 'vitest';
import { isSentence, type Gateways } from './gateway.ts';

export const nodeCases = (gateways: () => Gateways): void => {
  describe('§2 info, health and what is not there', () => {
    it('GET /system/info names the provider, its version and the machine', async () => {
      const answer = await gateways().one.ask('GET', '/system/info');
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe('application/json');
      expect(answer.json()).toEqual({
        provider: {
          provider: expect.stringMatching(/\w/),
          version: expect.objectContaining({
            release: expect.stringMatching(/^\d+\.\d+\.\d+/),
            sha: expect.any(String),
          }),
          orchestration: expect.stringMatching(/\w/),
        },
        version: expect.objectContaining({ release: expect.stringMatching(/^\d+\.\d+\.\d+/), sha: expect.any(String) }),
        arch: expect.stringMatching(/\w/),
      });
    });

    it('GET and HEAD /healthz are 200 without a body', async () => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await gateways().one.ask(method, '/healthz');
        expect([answer.status, answer.text]).toEqual([200, '']);
      }
    });

    it.each(['POST', 'PUT', 'DELETE'])('%s /healthz is 405', async (method) => {
      expect((await gateways().one.ask(method, '/healthz')).status).toBe(405);
    });

    it('serves a page for people, and sends those there who know where OpenFaaS has its own', async () => {
      const { one } = gateways();
      expect((await one.ask('GET', '/')).headers['content-type']).toMatch(/^text\/html/);
      const moved = await one.ask('GET', '/ui/');
      expect([moved.status, moved.headers.location]).toEqual([302, '/']);
    });

    it.each(['/nothing', '/system/functions/', '/system/functions/probe', '/metrics', '/function'])(
      'GET %s is 404 in the words of OpenFaaS',
      async (path) => {
        isSentence(await gateways().one.ask('GET', path), 404, '404 page not found');
      },
    );

    it.each([
      ['PATCH', '/system/functions'],
      ['POST', '/system/function/probe'],
      ['GET', '/system/scale-function/probe'],
      ['DELETE', '/system/info'],
      ['PATCH', '/system/secrets'],
      ['POST', '/system/namespaces'],
      ['POST', '/system/logs'],
      ['GET', '/system/alert'],
      ['PUT', '/async-function/probe'],
      ['GET', '/async-function/probe'],
    ])('%s %s is 405 with an empty body', async (method, path) => {
      const answer = await gateways().one.ask(method, path);
      expect([answer.status, answer.text]).toEqual([405, '']);
    });
  });
};
