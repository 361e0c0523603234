import { describe, expect, it } from 'vitest';
import { until } from '../../e2e/until.ts';
import { isSentence, type Gateways } from './gateway.ts';

/** As clients write them that say everything. */
const everything = {
  service: 'whole',
  image: 'probe:latest',
  namespace: 'openfaas-fn',
  envProcess: 'node server.js',
  envVars: { GREETING: 'a=b=c', EMPTY: '', 'dotted.name': 'ü' },
  constraints: ['skein.node==node-1'],
  secrets: ['second', 'first'],
  labels: { 'com.openfaas.scale.min': '2', canary: 'true' },
  annotations: { topic: 'cron-function', schedule: '*/5 * * * *' },
  limits: { memory: '128Mi', cpu: '100m' },
  requests: { memory: '64Mi', cpu: '50m' },
  readOnlyRootFilesystem: true,
};

/** A Go client sends what it does not set as null or empty. */
const nothingElse = {
  service: 'bare',
  image: 'probe',
  network: 'func_functions',
  registryAuth: '',
  envProcess: '',
  envVars: null,
  constraints: null,
  secrets: null,
  labels: null,
  annotations: null,
  limits: null,
  requests: null,
  readOnlyRootFilesystem: false,
};

export const functionCases = (gateways: () => Gateways): void => {
  const post = (json: unknown) => gateways().one.ask('POST', '/system/functions', { json });
  const put = (json: unknown) => gateways().one.ask('PUT', '/system/functions', { json });
  const remove = (json: unknown, query = '') => gateways().one.ask('DELETE', `/system/functions${query}`, { json });

  describe('§3 functions', () => {
    it('are reported exactly as they were deployed, alone and in the list, at every node', async () => {
      const { one, two } = gateways();
      await one.must('POST', '/system/secrets', { name: 'first', value: '1' });
      await one.must('POST', '/system/secrets', { name: 'second', value: '2' });
      const before = Date.now();
      await one.deploy(everything);
      const { service: name, ...deployed } = everything;
      const replicas = await until('two replicas are available', async () => {
        const status = await one.status('whole');
        return status.availableReplicas === 2 && status;
      });
      const { createdAt } = replicas;
      const wanted = { name, ...deployed, replicas: 2, availableReplicas: 2, invocationCount: 0, createdAt };
      expect(replicas).toEqual(wanted);
      expect(createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      expect(Date.parse(createdAt!)).toBeGreaterThanOrEqual(before - 1000);
      const listed = await until('the other node lists it', async () => {
        const all = (await two.ask('GET', '/system/functions')).json<{ name: string; availableReplicas: number }[]>();
        return all.find((one) => one.name === 'whole' && one.availableReplicas === 2);
      });
      expect(listed).toEqual(wanted);

      expect((await two.call('whole')).status).toBe(200);
      const counted = await until('the call is counted', async () => {
        const status = await one.status('whole');
        return status.invocationCount === 1 && status;
      });
      expect(counted).toEqual({ ...wanted, invocationCount: 1 });

      await one.remove('whole');
      for (const secret of ['first', 'second']) await one.must('DELETE', '/system/secrets', { name: secret });
    });

    it('get their environment, and nothing is added to what is reported', async () => {
      const { one } = gateways();
      const envVars = { GREETING: 'a=b=c', EMPTY: '' };
      await one.deploy({ service: 'env', image: 'probe', envVars });
      expect((await one.call('env?do=env')).json()).toMatchObject(envVars);
      expect((await one.status('env')).envVars).toEqual(envVars);
      await one.remove('env');
    });

    it('need no more than a name and an image; null is as good as absent', async () => {
      const { one } = gateways();
      expect((await post(nothingElse)).status).toBe(202);
      await one.ready('bare');
      const status = await one.status('bare');
      expect(status).toMatchObject({ name: 'bare', image: 'probe', namespace: 'openfaas-fn' });
      for (const absent of ['envVars', 'labels', 'constraints', 'secrets', 'limits', 'usage', 'network']) {
        expect(status).not.toHaveProperty(absent);
      }
      await one.remove('bare');
    });

    it.each([
      ['anywhere', []],
      ['at the node that is asked', ['skein.node==node-1']],
      ['at another node', ['skein.node==node-2']],
    ])('that live %s can be called as soon as availableReplicas is 1', async (where, constraints) => {
      const { one } = gateways();
      for (let round = 0; round < 20; round += 1) {
        const service = `soon-${where.replaceAll(' ', '-')}-${round}`;
        await one.deploy({ service, image: 'probe', constraints });
        const answer = await one.call(service, { body: 'at once' });
        expect([answer.status, answer.headers['x-skein-reason']]).toEqual([200, undefined]);
        await one.remove(service);
      }
    });

    it('that come back under their name, at another node, can be called as soon as availableReplicas is 1', async () => {
      const { one, two } = gateways();
      for (let round = 0; round < 8; round += 1) {
        const constraints = [`skein.node==node-${1 + (round % 2)}`];
        await one.deploy({ service: 'again', image: 'probe', constraints });
        expect((await one.call('again')).status).toBe(200);
        await two.ready('again');
        expect((await two.call('again')).status).toBe(200);
        await one.remove('again');
      }
    });

    it('are updated by PUT, which keeps the time of their creation', async () => {
      const { one } = gateways();
      await one.deploy({ service: 'twice', image: 'probe', envVars: { VERSION: '1' } });
      const { createdAt } = await one.status('twice');
      const answer = await put({ service: 'twice', image: 'probe', envVars: { VERSION: '2' } });
      expect([answer.status, answer.text]).toEqual([202, '']);
      expect(await one.status('twice')).toMatchObject({ envVars: { VERSION: '2' }, createdAt });
      await until('the new one answers', async () => (await one.call('twice?do=env')).json()['VERSION'] === '2');
      await one.remove('twice');
    });

    it('are 404 for a PUT before they are there, as the first deployment of faas-cli needs', async () => {
      isSentence(await put({ service: 'not-yet', image: 'probe' }), 404, 'service not-yet not found');
    });

    it('are deployed once: a second POST is 400 and changes nothing', async () => {
      const { one } = gateways();
      isSentence(await post({ service: 'probe', image: 'cat' }), 400, 'already exists');
      expect((await one.status('probe')).image).toBe('probe');
    });

    it('are removed, with 404 for the status, and for another removal', async () => {
      const { one } = gateways();
      await one.deploy({ service: 'gone', image: 'probe' });
      const answer = await remove({ functionName: 'gone' });
      expect([answer.status, answer.text]).toEqual([202, '']);
      isSentence(await one.ask('GET', '/system/function/gone'), 404, 'service gone not found');
      isSentence(await remove({ functionName: 'gone' }), 404, 'service gone not found');
      await until('calls are refused', async () => (await one.call('gone')).status === 404);
    });

    it('of another node that are removed are called, or are unknown, and nothing between', async () => {
      const { one, two } = gateways();
      for (let round = 0; round < 5; round += 1) {
        const service = `going-${round}`;
        await one.deploy({ service, image: 'probe', constraints: ['skein.node==node-2'] });
        await (round % 2 === 0 ? one : two).remove(service);
        const seen = new Set<number>();
        await until('calls are refused', async () => seen.add((await one.call(service)).status).has(404));
        expect([...seen].filter((status) => status !== 200)).toEqual([404]);
      }
    });

    it('of another namespace are meant by the body, the query or the name; the body comes before the query', async () => {
      const { one } = gateways();
      await one.must('POST', '/system/namespace/', { name: 'stage', labels: { openfaas: '1' } });
      const { status } = await one.ask('POST', '/system/functions?namespace=openfaas-fn', {
        json: { service: 'there', image: 'probe', namespace: 'stage' },
      });
      expect(status).toBe(202);
      await one.ready('there.stage');
      expect((await one.ask('GET', '/system/function/there')).status).toBe(404);
      expect((await one.status('there', '?namespace=stage')).namespace).toBe('stage');
      expect((await one.call('there.stage')).status).toBe(200);
      const list = async (query: string) =>
        (await one.ask('GET', `/system/functions${query}`)).json<{ name: string }[]>().map(({ name }) => name);
      expect(await list('?namespace=stage')).toEqual(['there']);
      expect(await list('')).not.toContain('there');
      expect((await remove({ functionName: 'there', namespace: 'stage' }, '?namespace=openfaas-fn')).status).toBe(202);
      await one.ask('POST', '/system/functions?namespace=stage', { json: { service: 'there', image: 'probe' } });
      expect((await remove({ functionName: 'there' }, '?namespace=stage')).status).toBe(202);
      await one.must('DELETE', '/system/namespace/stage', { name: 'stage', labels: { openfaas: '1' } });
    });

    it.each([
      ['no name', { image: 'probe' }, 'service: is required'],
      ['no image', { service: 'x' }, 'image: is required'],
      ['an empty image', { service: 'x', image: '' }, 'image: is required'],
      ['a name that is no DNS label', { service: 'X_y', image: 'probe' }, 'service: must be a DNS label'],
      ['an unknown namespace', { service: 'x', image: 'probe', namespace: 'nowhere' }, 'namespace not valid'],
      ['an unknown secret', { service: 'x', image: 'probe', secrets: ['no'] }, 'unable to find secret: no'],
      ['an unknown image', { service: 'x', image: 'ghcr.io/openfaas/figlet:latest' }, 'skein build'],
      ['a constraint that is none', { service: 'x', image: 'probe', constraints: ['nonsense'] }, 'nonsense'],
      ['another kind of value', { service: 'x', image: 'probe', envVars: { A: 1 } }, 'envVars.A'],
      ['a list', [], 'validation failed'],
    ])('are refused with %s', async (_what, json, words) => {
      isSentence(await post(json), 400, words);
    });

    it.each(['', '{', 'nope', 'null'])('are refused when the body is %j', async (body) => {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        isSentence(await gateways().one.ask(method, '/system/functions', { body }), 400, /unmarshal|validation/);
      }
    });

    it('of a namespace that is not there are 400', async () => {
      isSentence(await gateways().one.ask('GET', '/system/functions?namespace=nowhere'), 400, 'namespace not valid');
    });

    it('tell CPU in thousandths of a core and memory in bytes, only when asked for', async () => {
      const { one } = gateways();
      expect(await one.status('probe')).not.toHaveProperty('usage');
      const { usage } = await until('it is measured', async () => {
        const status = await one.status('probe', '?usage=1');
        return (status.usage?.totalMemoryBytes ?? 0) > 0 && status;
      });
      expect(usage).toEqual({ cpu: expect.any(Number), totalMemoryBytes: expect.any(Number) });
      expect(usage?.totalMemoryBytes).toBeGreaterThan(10_000_000);
      expect(usage?.totalMemoryBytes).toBeLessThan(2_000_000_000);
      expect((await one.ask('GET', '/system/functions')).text).not.toContain('"usage"');
    });
  });

  describe('§3 scale', () => {
    const scale = (name: string, body: string, query = '') =>
      gateways().one.ask('POST', `/system/scale-function/${name}${query}`, { body });

    it('sets the replicas, to none as well, and the next call starts one again', async () => {
      const { one } = gateways();
      await one.deploy({ service: 'scaled', image: 'probe', constraints: ['skein.node==node-1'] });
      const answer = await scale('scaled', '{"serviceName":"scaled","replicas":3}');
      expect([answer.status, answer.text]).toEqual([202, '']);
      await until('three are there', async () => (await one.status('scaled')).availableReplicas === 3);
      expect((await scale('scaled', '{"replicas":0}')).status).toBe(202);
      await until('none is there', async () => (await one.status('scaled')).replicas === 0);
      expect((await one.call('scaled')).status).toBe(200);
      await one.remove('scaled');
    });

    it('is 404 for what is not there and 400 for what makes no sense', async () => {
      isSentence(await scale('nobody', '{"replicas":1}'), 404, 'service nobody not found');
      isSentence(await scale('probe', '{'), 400, 'failed to unmarshal request');
      isSentence(await scale('probe', '{}'), 400, 'replicas: is required');
      isSentence(await scale('probe', '{"replicas":-1}'), 400, 'replicas');
      isSentence(await scale('probe', '{"replicas":1}', '?namespace=nowhere'), 400, 'namespace not valid');
    });
  });

  describe('§7 alerts', () => {
    const alert = (body: unknown) => gateways().one.ask('POST', '/system/alert', { json: body });
    const of = (status: string, name: string) => ({
      receiver: 'scale-up',
      status,
      version: '4',
      alerts: [{ status, labels: { alertname: 'APIHighInvocationRate', function_name: name } }],
    });

    it('add a step while they fire and go back to the minimum once they are resolved', async () => {
      const { one } = gateways();
      const labels = {
        'com.openfaas.scale.min': '1',
        'com.openfaas.scale.max': '4',
        'com.openfaas.scale.factor': '50',
      };
      await one.deploy({ service: 'alarmed', image: 'probe', labels, constraints: ['skein.node==node-1'] });
      expect((await alert(of('firing', 'alarmed.openfaas-fn'))).status).toBe(200);
      await until('two more are there', async () => (await one.status('alarmed')).availableReplicas === 3);
      expect((await alert(of('resolved', 'alarmed.openfaas-fn'))).status).toBe(200);
      await until('one is left', async () => (await one.status('alarmed')).replicas === 1);
      await one.remove('alarmed');
    });

    it('pass over functions that nobody knows', async () => {
      const answer = await alert(of('firing', 'nobody.openfaas-fn'));
      expect([answer.status, answer.text]).toEqual([200, '']);
    });

    it('are 400 when they cannot be read', async () => {
      const answer = await gateways().one.ask('POST', '/system/alert', { body: '{' });
      isSentence(answer, 400, 'Unable to parse alert, bad format.');
    });
  });
};
