import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** As `bin/skein` has it: a third of what a data plane costs to start is compiling. */
const env = { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/skein') };

/** No assertion about time: what is waited for comes, also where other work takes the machine's. */
const expect = { poll: { timeout: 30_000 } };

/** Of `test/`: they load or weigh whole federations, and what is counted is what a machine has for one of them. */
const alone = ['catalogue', 'haproxy', 'large-bodies', 'measured-slots', 'metrics', 'outages', 'placement', 'sharing'];
const aloneFiles = alone.map((name) => `test/e2e/${name}.test.ts`);

const endToEnd = { env, expect, testTimeout: 240_000, hookTimeout: 180_000 };

/** Tests run the program itself in real processes, so every process of ours gets the Node of the lockfile. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          env,
          expect,
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // These tests wait more than they compute: no core is kept back for the runner itself.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...endToEnd,
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: aloneFiles,
          // Each has several processes that start, and then mostly waits.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...endToEnd,
          name: 'e2e-alone',
          include: aloneFiles,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
