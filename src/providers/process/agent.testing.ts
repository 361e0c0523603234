import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifest } from '../../bundles/manifest.ts';
import { systemClock } from '../../std/clock.ts';
import { silentLog } from '../../telemetry/log.ts';
import type { FunctionSpec } from '../provider.ts';
import { ProcessProvider } from './process-provider.ts';
import { eventually } from './provider.testing.ts';

/**
 * For tests, as a process that can be killed: an agent with nothing but a provider. `FOLDER SPEC [stop]`; deploys one replica, fills its pool
 * and says in one line what runs. With
 * `stop` it removes the function, stops, and should end by itself.
 */
const [folder = '', spec = '', then] = process.argv.slice(2);
const provider = new ProcessProvider({
  bundles: {
    open: async (digest) => {
      const bundle = join(folder, 'bundles', digest.slice('sha256:'.length));
      return {
        folder: bundle,
        manifest: manifest.parse(JSON.parse(await readFile(join(bundle, 'skein.json'), 'utf8'))),
      };
    },
  },
  clock: systemClock,
  log: silentLog,
  folder: join(folder, 'state'),
  runFolder: join(folder, 'run'),
  secrets: (_, names) => new Map(names.map((name) => [name, Buffer.from(`what ${name} is`)])),
  gatewayUrl: 'http://127.0.0.1:8080',
  poolSize: 2,
  maxReplicas: { perFunction: 1, total: 1 },
  timeoutMs: () => 10_000,
  readyTimeoutMs: 40_000,
});

const deployed = JSON.parse(spec) as FunctionSpec;
await provider.start();
await provider.deploy(deployed, 1);
await eventually(() => provider.idleWorkers === 2);
console.log(JSON.stringify(provider.resolve(deployed.ref)));
if (then === 'stop') {
  await provider.remove(deployed.ref);
  await provider.stop();
}
