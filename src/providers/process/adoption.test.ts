import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { FunctionRef } from '../../domain/function.ts';
import type { FunctionSpec } from '../provider.ts';
import type { ProcessProvider } from './process-provider.ts';
import { call, eventually, httpBundle, makeProvider, type Bench } from './provider.testing.ts';

const ref: FunctionRef = { name: 'fn', namespace: 'openfaas-fn' };

let bench: Bench;
let provider: ProcessProvider;

afterEach(async () => {
  await provider.stop(1000);
  await bench.close();
});

/** The first replica of the second revision listens at once, the others when there is a file `gate`. */
const gated = (folder: string): string => `
  import { createServer } from 'node:http';
  import { existsSync, mkdirSync } from 'node:fs';
  const listen = () => createServer((_, response) => response.end('new')).listen(process.env.PORT);
  const wait = () => existsSync(${JSON.stringify(join(folder, 'gate'))}) ? listen() : setTimeout(wait, 20);
  try { mkdirSync(${JSON.stringify(join(folder, 'first'))}); listen(); } catch { wait(); }`;

const old = `import { createServer } from 'node:http';
  createServer((_, response) => response.end('old')).listen(process.env.PORT);`;

/** A provider that found an update half done: two replicas of revision 1, one of revision 2. */
const interrupted = async (): Promise<readonly [FunctionSpec, FunctionSpec]> => {
  bench = await makeProvider();
  const first = await bench.spec(ref, '1', httpBundle(old));
  const second = await bench.spec(ref, '2', httpBundle(gated(bench.folder)));
  await bench.provider.deploy(first, 2);
  bench.provider.update(second).catch(() => {});
  await eventually(() => bench.provider.replicas().some(({ revision }) => revision === '2'));
  await bench.provider.release();
  provider = bench.another();
  await provider.start();
  return [first, second];
};

const versions = (): readonly string[] =>
  provider
    .resolve(ref)
    .map(({ version }) => version)
    .toSorted();

describe('an update that was cut short by the end of an agent', () => {
  it('is finished by the next: both revisions serve until there are enough of the later one', async () => {
    const [, second] = await interrupted();
    expect(versions()).toEqual(['1', '1', '2']);
    expect(await provider.list()).toEqual([{ spec: second, replicas: 2, available: 3 }]);
    expect(new Set(provider.pids(ref)).size).toBe(3);
    for (const replica of provider.resolve(ref)) {
      expect((await call(replica)).text).toBe(replica.version === '1' ? 'old' : 'new');
    }
    await provider.update(second);
    expect(versions()).toEqual(['1', '1', '2']);
    await writeFile(join(bench.folder, 'gate'), '');
    await eventually(() => versions().join() === '2,2');
  });

  it('is undone where the earlier revision is the wanted one', async () => {
    const [first] = await interrupted();
    await provider.update(first);
    expect(versions()).toEqual(['1', '1']);
    expect(await provider.list()).toEqual([{ spec: first, replicas: 2, available: 2 }]);
  });

  it('gives way to a third revision, and leaves nothing behind', async () => {
    const [first] = await interrupted();
    await provider.update({ ...first, revision: '3' });
    await eventually(() => versions().every((version) => version === '3'));
    await provider.remove(ref);
    expect(provider.replicas()).toEqual([]);
  });
});
