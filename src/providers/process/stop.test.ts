import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FunctionRef } from '../../domain/function.ts';
import type { ProcessProvider } from './process-provider.ts';
import { call, eventually, httpBundle, makeProvider, nodeBundle, type Bench } from './provider.testing.ts';

const ref: FunctionRef = { name: 'fn', namespace: 'openfaas-fn' };
/** Longer than any test may take. */
const forEverMs = 3_600_000;

let bench: Bench;
let provider: ProcessProvider;

beforeEach(async () => {
  bench = await makeProvider({ timeoutMs: () => forEverMs, readyTimeoutMs: forEverMs });
  provider = bench.provider;
});

afterEach(() => bench.close());

const isGone = (pid: number): boolean => {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
};

const endless = 'export default () => new Promise(() => setInterval(() => {}, 1000))';
const endlessHttp = "import { createServer } from 'node:http'; createServer(() => {}).listen(process.env.PORT);";
const neverReady = 'setInterval(() => {}, 1000);';

describe('a provider that stops', () => {
  it.each([
    ['node', nodeBundle(endless)],
    ['http', httpBundle(endlessHttp)],
  ])('does not wait for calls of a removed function of %s mode longer than it was told', async (_, files) => {
    await provider.deploy(await bench.spec(ref, '1', files), 1);
    const pids = provider.pids(ref);
    const cut = call(provider.resolve(ref)[0]).catch(() => 'cut');
    const removed = provider.remove(ref);
    await provider.stop(200);
    await removed;
    expect(await cut).toBe('cut');
    expect(pids.every(isGone)).toBe(true);
  });

  it('does not wait for calls of replicas that are no longer wanted', async () => {
    await provider.deploy(await bench.spec(ref, '1', nodeBundle(endless)), 1);
    const pids = provider.pids(ref);
    const cut = call(provider.resolve(ref)[0]).catch(() => 'cut');
    await provider.scale(ref, 0);
    await provider.stop(200);
    expect(await cut).toBe('cut');
    expect(pids.every(isGone)).toBe(true);
  });

  it('does not wait for a data plane that never lets go of a replica', async () => {
    await bench.close();
    bench = await makeProvider({ timeoutMs: () => forEverMs, withdrawn: () => new Promise(() => {}) });
    provider = bench.provider;
    await provider.deploy(await bench.spec(ref, '1', nodeBundle(endless)), 1);
    await provider.scale(ref, 0);
    await provider.stop(200);
    expect(provider.replicas()).toEqual([]);
  });

  it('does not wait for a replica that is not ready', async () => {
    const deployed = provider.deploy(await bench.spec(ref, '1', httpBundle(neverReady)), 1).catch(() => 'refused');
    await eventually(async () => (await provider.list())[0]?.replicas === 1);
    await provider.stop(200);
    expect(await deployed).toBe('refused');
  });

  it('scales nothing any more, and says so', async () => {
    await provider.deploy(await bench.spec(ref, '1', nodeBundle('export default () => new Response()')), 1);
    const stopped = provider.stop(200);
    await expect(provider.scale(ref, 2)).rejects.toMatchObject({ code: 'unavailable' });
    await stopped;
  });

  it('starts nothing any more', async () => {
    await provider.stop(200);
    const spec = await bench.spec(ref, '1', nodeBundle(endless));
    await expect(provider.deploy(spec, 1)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
