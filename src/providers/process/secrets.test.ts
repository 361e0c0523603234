import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SkeinError } from '../../domain/errors.ts';
import { call, makeProvider, nodeBundle } from './provider.testing.ts';

const ref = { name: 'reader', namespace: 'openfaas-fn' };
const value = Buffer.from([0, 255, 10, 13, 1]);

const code = `
  import { readFileSync, writeFileSync } from 'node:fs';
  const folder = process.env.SECRETS_PATH;
  const attempt = (act) => { try { return act(); } catch (error) { return error.code; } };
  export default () => Response.json({
    value: folder === undefined ? null : readFileSync(folder + '/api-key').toString('hex'),
    write: folder === undefined ? null : attempt(() => { writeFileSync(folder + '/api-key', 'x'); return 'may'; }),
  });
`;

const open = async (secrets?: (namespace: string, names: readonly string[]) => ReadonlyMap<string, Uint8Array>) => {
  const bench = await makeProvider(secrets === undefined ? {} : { secrets });
  onTestFinished(() => bench.close());
  const spec = await bench.spec(ref, '1', nodeBundle(code));
  return { ...bench, spec };
};

test('a function reads the secrets it was given, byte for byte, and cannot change them', async () => {
  const { provider, spec } = await open((namespace, names) => {
    expect(namespace).toBe(ref.namespace);
    return new Map(names.map((name) => [name, value]));
  });
  await provider.deploy({ ...spec, deployment: { ...spec.deployment, secrets: ['api-key'] } }, 1);
  const [replica] = provider.resolve(ref);
  expect(JSON.parse((await call(replica)).text)).toEqual({ value: value.toString('hex'), write: 'ERR_ACCESS_DENIED' });
});

test('a function that was given none is told of none', async () => {
  const { provider, spec } = await open(() => new Map());
  await provider.deploy(spec, 1);
  const [replica] = provider.resolve(ref);
  expect(JSON.parse((await call(replica)).text)).toEqual({ value: null, write: null });
});

test('a function does not start without a secret that it names, and nothing of its values stays on disk', async () => {
  const { provider, spec, folder } = await open(() => {
    throw new SkeinError('not-found', 'unable to find secret: api-key');
  });
  const deployment = { ...spec.deployment, secrets: ['api-key'] };
  await expect(provider.deploy({ ...spec, deployment }, 1)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('unable to find secret: api-key'),
  });
  await provider.remove(ref);
  expect(await readdir(join(folder, 'state', 'slots'))).toEqual([]);
  expect(await readFile(join(folder, 'state', 'ledger.json'), 'utf8')).not.toContain('reader');
});
