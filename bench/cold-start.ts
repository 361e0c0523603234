import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { rolldown } from 'rolldown';
import { FileBundleStore } from '../src/bundles/file-store.ts';
import { pack } from '../src/bundles/pack.ts';
import type { Digest } from '../src/domain/ids.ts';
import { ProcessProvider } from '../src/providers/process/process-provider.ts';
import type { FunctionSpec } from '../src/providers/provider.ts';
import type { Address } from '../src/routing/plan.ts';
import { systemClock } from '../src/std/clock.ts';
import { silentLog } from '../src/telemetry/log.ts';
import { positive, readOptions } from './lib/options.ts';
import { machineNow, publish } from './lib/report.ts';
import { medianOf, quantile } from './lib/statistics.ts';

const about = `Cold starts of a function that imports a real package (figlet, bundled to one file): from \`scale(ref, 1)\` to the whole of
the first answer, once with a worker from the pool and once with a process forked for it. Target: median 25 ms from the pool.`;

const options = readOptions('cold-start', about, { runs: { help: 'starts of each kind', fallback: '30' } });
const runs = positive(options.runs);

const source = `
import figlet from 'figlet';
import standard from 'figlet/fonts/Standard';
figlet.parseFont('Standard', standard);
export default async (event, context) => context.succeed(figlet.textSync(String(event.body)));
`;

const bundleFunction = async (folder: string): Promise<string> => {
  const entry = join(import.meta.dirname, 'virtual-figlet.js');
  const build = await rolldown({
    input: entry,
    platform: 'node',
    plugins: [
      {
        name: 'source-in-memory',
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? source : undefined),
      },
    ],
  });
  const { output } = await build.write({
    dir: folder,
    format: 'esm',
    entryFileNames: 'index.mjs',
    codeSplitting: false,
  });
  await build.close();
  return output[0].code;
};

const storeBundle = async (store: FileBundleStore, code: string): Promise<Digest> => {
  const manifest = { manifest: 1, mode: 'node', entry: 'index.mjs', handler: 'event' };
  const files = Object.entries({ 'index.mjs': code, 'skein.json': JSON.stringify(manifest) });
  const { digest } = await store.put(
    pack(files.map(([path, text]) => ({ path, contents: Buffer.from(text), executable: false }))),
  );
  return digest;
};

const call = async (address: Address, body: string): Promise<string> => {
  if (address.kind !== 'unix') throw new Error('node mode listens on unix sockets');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const sent = request(
    { socketPath: address.path, method: 'POST', headers: { 'content-type': 'text/plain' } },
    (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('end', () => resolve(text));
    },
  );
  sent.on('error', reject).end(body);
  return promise;
};

const measure = async (folder: string, poolSize: number, runs: number): Promise<readonly number[]> => {
  const store = await FileBundleStore.open(join(folder, 'bundles'));
  const digest = await storeBundle(store, await bundleFunction(join(folder, 'build')));
  const provider = new ProcessProvider({
    bundles: store,
    clock: systemClock,
    log: silentLog,
    folder: join(folder, 'state'),
    runFolder: join(folder, 'run'),
    gatewayUrl: 'http://127.0.0.1:8080',
    poolSize,
    maxReplicas: { perFunction: 1, total: 1 },
    timeoutMs: () => 10_000,
    drainDelayMs: 0,
  });
  await provider.start();
  const ref = { name: 'figlet', namespace: 'openfaas-fn' };
  const spec: FunctionSpec = { ref, revision: '1', digest, deployment: { service: ref.name, image: 'figlet:1' } };
  const times: number[] = [];
  try {
    await provider.deploy(spec, 0);
    for (let run = 0; run < runs; run++) {
      while (provider.idleWorkers < poolSize) await setTimeout(20);
      await setTimeout(200);
      const began = performance.now();
      await provider.scale(ref, 1);
      const [replica] = provider.resolve(ref);
      if (replica === undefined) throw new Error('no replica is ready');
      const answer = await call(replica.address, 'Skein');
      times.push(performance.now() - began);
      if (!answer.includes('____')) throw new Error(`not what figlet answers: ${answer}`);
      await provider.scale(ref, 0);
    }
  } finally {
    await provider.stop();
  }
  return times;
};

const machine = machineNow();
const results = [];
for (const [from, poolSize] of [
  ['pool', 3],
  ['fresh process', 0],
] as const) {
  const folder = await mkdtemp(join(tmpdir(), 'skein-cold-'));
  try {
    const times = await measure(folder, poolSize, runs);
    results.push({ from, runs, medianMs: medianOf(times), p90Ms: quantile(times, 0.9), maxMs: Math.max(...times) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
publish(
  {
    name: 'cold-start',
    settings: `${runs} starts of each kind`,
    tables: [
      {
        title: 'First answer after, ms (target: median 25 from the pool)',
        header: ['from', 'median', 'p90', 'most'],
        rows: results.map((row) => [row.from, ...[row.medianMs, row.p90Ms, row.maxMs].map((ms) => ms.toFixed(1))]),
      },
    ],
    data: results,
  },
  machine,
  options,
);
