import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../../src/builder/build.ts';
import { pushBundle } from '../../../src/cli/push-bundle.ts';
import { silentLog } from '../../../src/telemetry/log.ts';
import { Federation } from '../../e2e/federation.fixture.ts';
import { Gateway, type Gateways } from './gateway.ts';

const root = join(import.meta.dirname, '../../..');

/** Image names, and the folders they are built from. */
const images = {
  cat: join(root, 'functions/cat'),
  probe: join(import.meta.dirname, 'functions/probe'),
} as const;

export type Running = Gateways & { end(): Promise<void> };

/** A federation of two real nodes that know the images. */
export const startGateways = async (): Promise<Running> => {
  const federation = await Federation.start({ slots: [16, 16] });
  try {
    await pushImages(federation);
    const password = (await readFile(join(federation.data, 'admin-password'), 'utf8')).trim();
    const [one, two] = [federation.node(1), federation.node(2)].map(
      ({ url, metricsUrl }) => new Gateway({ url, metricsUrl, password }),
    ) as [Gateway, Gateway];
    return { one, two, end: () => federation.end() };
  } catch (error) {
    await federation.end();
    throw error;
  }
};

const pushImages = async (federation: Federation): Promise<void> => {
  const work = await mkdtemp(join(tmpdir(), 'skein-interop-'));
  try {
    for (const [image, folder] of Object.entries(images)) {
      const out = join(work, `${image}.tar.gz`);
      await pushBundle(await build({ folder, image, out, log: silentLog }), out, federation.node(1).client());
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};
