import { describe, expect, it } from 'vitest';
import { findSecretMounts } from '../../../src/providers/process/secret-mounts.ts';
import { systemClock } from '../../../src/std/clock.ts';
import { until } from '../../e2e/until.ts';
import { isSentence, type Gateways } from './gateway.ts';

const path = '/system/secrets';

const mounts = await findSecretMounts(systemClock, '/var/openfaas/secrets');
const places = [
  { folder: '/var/openfaas/secrets', process: 'cat /var/openfaas/secrets/secret-api-test-key', namespaces: true },
  {
    folder: '$SECRETS_PATH',
    process: 'node -p require("fs").readFileSync(process.env.SECRETS_PATH+"/secret-api-test-key","utf8")',
    namespaces: false,
  },
].filter(({ namespaces }) => !namespaces || !('why' in mounts));

export const secretCases = (gateways: () => Gateways): void => {
  const send = (method: string, json: unknown, query = '') => gateways().one.ask(method, path + query, { json });
  const names = async (query = ''): Promise<unknown> =>
    (await gateways().two.ask('GET', path + query)).json<unknown[]>();

  describe('§3 secrets', () => {
    it('are created, listed, updated and deleted with statuses that faas-cli takes', async () => {
      expect(await send('POST', { name: 'key', value: 'one' })).toMatchObject({ status: 201, text: '' });
      const listed = await until('the other node lists it', async () => {
        const all = await names();
        return Array.isArray(all) && all.length === 1 && all;
      });
      expect(listed).toEqual([{ name: 'key', namespace: 'openfaas-fn' }]);
      expect(await send('PUT', { name: 'key', value: 'two' })).toMatchObject({ status: 200, text: '' });
      isSentence(await send('POST', { name: 'key', value: 'three' }), 409, 'key');
      expect(await send('DELETE', { name: 'key' })).toMatchObject({ status: 200, text: '' });
      isSentence(await send('DELETE', { name: 'key' }), 404, 'key');
      isSentence(await send('PUT', { name: 'key', value: 'x' }), 404, 'key');
    });

    it('reach functions byte for byte, at every node, and so does a new value', async () => {
      const { one, two } = gateways();
      const bytes = Buffer.from([0, 255, 10, 13, 128]);
      await one.must('POST', path, { name: 'text', value: 'no newline' });
      await one.must('POST', path, { name: 'raw', rawValue: bytes.toString('base64') });
      await one.deploy({ service: 'knows', image: 'probe', secrets: ['text', 'raw'] });
      const wanted = { raw: bytes.toString('base64'), text: Buffer.from('no newline').toString('base64') };
      for (const gateway of [one, two]) {
        await gateway.ready('knows');
        expect((await gateway.call('knows?do=secrets')).json()).toEqual(wanted);
      }
      await one.must('PUT', path, { name: 'text', value: 'newer\n' });
      await until('both nodes give it the new value', async () => {
        const answers = await Promise.all([one, two].map((gateway) => gateway.call('knows?do=secrets')));
        return answers.every((answer) => answer.json()['text'] === Buffer.from('newer\n').toString('base64'));
      });
      await one.remove('knows');
      for (const name of ['text', 'raw']) await one.must('DELETE', path, { name });
    });

    it.each(places)('are files in $folder that a program of the machine can read', async ({ process }) => {
      const { one } = gateways();
      const name = 'secret-api-test-key';
      await one.must('POST', path, { name, value: 'this-is-the-secret-value' });
      await one.deploy({
        service: 'reads',
        image: 'cat',
        envProcess: process,
        secrets: [name],
      });
      expect((await one.call('reads')).text.trimEnd()).toBe('this-is-the-secret-value');
      await one.remove('reads');
      await one.must('DELETE', path, { name });
    });

    it('belong to a namespace, of the body or the query; the body comes first', async () => {
      const { one } = gateways();
      const namespace = { name: 'vault', labels: { openfaas: '1' } };
      await one.must('POST', '/system/namespace/', namespace);
      await until('the other node knows it', async () => {
        const all = await gateways().two.ask('GET', '/system/namespaces');
        return all.json<string[]>().includes('vault');
      });
      await send('POST', { name: 'a', value: '1' }, '?namespace=vault');
      await send('POST', { name: 'b', value: '2', namespace: 'vault' }, '?namespace=openfaas-fn');
      const listed = await one.ask('GET', `${path}?namespace=vault`);
      expect(listed.json()).toEqual([
        { name: 'a', namespace: 'vault' },
        { name: 'b', namespace: 'vault' },
      ]);
      expect((await send('DELETE', { name: 'a' }, '?namespace=vault')).status).toBe(200);
      expect((await send('DELETE', { name: 'b', namespace: 'vault' })).status).toBe(200);
      await one.must('DELETE', '/system/namespace/vault', namespace);
      isSentence(await send('POST', { name: 'c', value: '1', namespace: 'vault' }), 400, 'namespace not valid');
    });

    it.each([
      ['no name', { value: 'x' }, 'name: is required'],
      ['an empty name', { name: '', value: 'x' }, 'non-empty name is required'],
      ['a way out', { name: '../../etc/passwd', value: 'x' }, 'directory traversal found in name'],
      ['no value', { name: 'x' }, 'value'],
      ['a raw value that is no base64', { name: 'x', rawValue: '%' }, 'rawValue: must be base64'],
    ])('are refused with %s', async (_what, json, words) => {
      isSentence(await send('POST', json), 400, words);
    });
  });
};
