import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** As `bin/skein` has it: a third of what a data plane costs to start is compiling. */
const env = { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/skein') };

/** No assertion about time: what is waited for comes, also where other work takes the machine's. */
const expect = { poll: { timeout: 30_000 } };

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
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // These tests wait more than they compute: no core is kept back for the runner itself.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          env,
          expect,
          include: ['test/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          // Alone on the machine: these tests measure whole federations.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
