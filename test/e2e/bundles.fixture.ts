import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type Built } from '../../src/builder/build.ts';
import type { Client } from '../../src/cli/client.ts';
import { pushBundle } from '../../src/cli/push-bundle.ts';
import { silentLog } from '../../src/telemetry/log.ts';

const root = join(import.meta.dirname, '../..');
const folders: Readonly<Record<string, string>> = {
  burn: join(root, 'functions/burn'),
  cat: join(root, 'functions/cat'),
  echo: join(root, 'functions/echo'),
  mirror: join(root, 'test/fixtures/functions/mirror'),
};

/** Functions of the tests, built once for a test file. */
export class Bundles {
  readonly #work: string;
  readonly #built = new Map<string, { readonly built: Built; readonly file: string }>();

  private constructor(work: string) {
    this.#work = work;
  }

  static async build(...names: readonly string[]): Promise<Bundles> {
    const bundles = new Bundles(await mkdtemp(join(tmpdir(), 'skein-e2e-bundles-')));
    for (const name of names) {
      const file = join(bundles.#work, `${name}.tar.gz`);
      bundles.#built.set(name, {
        file,
        built: await build({ folder: folders[name]!, image: name, out: file, log: silentLog }),
      });
    }
    return bundles;
  }

  async push(name: string, client: Client): Promise<void> {
    const { built, file } = this.#built.get(name)!;
    await pushBundle(built, file, client);
  }

  async remove(): Promise<void> {
    await rm(this.#work, { recursive: true, force: true });
  }
}
