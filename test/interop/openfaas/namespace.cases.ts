import { describe, expect, it } from 'vitest';
import { until } from '../../e2e/until.ts';
import { isSentence, type Gateways } from './gateway.ts';

const labels = { openfaas: '1' };

export const namespaceCases = (gateways: () => Gateways): void => {
  const send = (method: string, name: string, json: unknown) =>
    gateways().one.ask(method, `/system/namespace/${name}`, { json });

  describe('§3 namespaces', () => {
    it('are created, listed, read, updated and deleted, for the whole federation', async () => {
      const { one, two } = gateways();
      const made = await send('POST', '', { name: 'dev', labels, annotations: { team: 'a' } });
      expect([made.status, made.text]).toEqual([201, '']);
      const list = await until('the other node lists it', async () => {
        const names = (await two.ask('GET', '/system/namespaces')).json<string[]>();
        return names.includes('dev') && names;
      });
      expect(list).toEqual(['dev', 'openfaas-fn']);
      const read = await two.ask('GET', '/system/namespace/dev');
      expect(read.status).toBe(200);
      expect(read.json()).toEqual({ name: 'dev', labels, annotations: { team: 'a' } });

      const updated = await send('PUT', 'dev', { name: 'dev', labels: { ...labels, stage: 'two' } });
      expect([updated.status, updated.text]).toEqual([202, '']);
      expect((await one.ask('GET', '/system/namespace/dev')).json()).toEqual({
        name: 'dev',
        labels: { ...labels, stage: 'two' },
        annotations: {},
      });
      isSentence(await send('POST', '', { name: 'dev', labels }), 409, 'namespace dev already exists');
      isSentence(await send('POST', 'dev', { name: 'dev', labels }), 409, 'namespace dev already exists');

      const removed = await send('DELETE', 'dev', { name: 'dev', labels });
      expect([removed.status, removed.text]).toEqual([202, '']);
      isSentence(await send('DELETE', 'dev', { name: 'dev', labels }), 404, 'namespace dev not found');
      isSentence(await send('PUT', 'dev', { name: 'dev', labels }), 404, 'namespace dev not found');
      isSentence(await one.ask('GET', '/system/namespace/dev'), 404, 'namespace dev not found');
    });

    it.each([
      ['POST', '', { labels }, 'namespace not specified in URL'],
      ['POST', '', { name: 'x' }, 'request does not have openfaas=1 label'],
      ['POST', '', { name: 'x', labels: { openfaas: 'true' } }, 'request does not have openfaas=1 label'],
      ['POST', '', { name: 'No-Label', labels }, 'DNS label'],
      ['POST', 'one', { name: 'another', labels }, 'does not match'],
      ['PUT', 'openfaas-fn', { name: 'openfaas-fn' }, 'request does not have openfaas=1 label'],
      ['DELETE', 'openfaas-fn', { name: 'openfaas-fn', labels }, 'it stays'],
    ])('%s /system/namespace/%s is refused for %j', async (method, name, json, words) => {
      isSentence(await send(method, name, json), 400, words);
    });

    it('are not removed while functions are in them', async () => {
      const { one } = gateways();
      await one.must('POST', '/system/namespace/', { name: 'full', labels });
      await one.must('POST', '/system/functions', { service: 'lodger', image: 'probe', namespace: 'full' });
      isSentence(await send('DELETE', 'full', { name: 'full', labels }), 400, 'remove lodger');
      await one.remove('lodger', 'full');
      expect((await send('DELETE', 'full', { name: 'full', labels })).status).toBe(202);
    });

    it('have the default one, whatever else there is', async () => {
      const answer = await gateways().one.ask('GET', '/system/namespaces');
      expect(answer.headers['content-type']).toBe('application/json');
      expect(answer.json()).toEqual(['openfaas-fn']);
    });
  });
};
