import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LoadResult } from '../../src/loadtest/load-result.ts';
import type { LoadOptions } from '../../src/loadtest/load-options.ts';

type Given = Pick<LoadOptions, 'target' | 'connections'> & { readonly rate?: LoadOptions['rate'] };

/** POSTs 11 bytes from a thread of its own for as long as `work` takes: in a closed loop, or at a rate. */
export const loaded = async <Result>(
  { rate = 'max', ...given }: Given,
  work: () => Promise<Result>,
): Promise<readonly [LoadResult, Result]> => {
  const load: LoadOptions = { ...given, rate, durationMs: 3_600_000, body: Buffer.from('Hello Skein') };
  const worker = new Worker(join(import.meta.dirname, 'load-worker.ts'), { workerData: load });
  const ended = new Promise<LoadResult>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  try {
    const result = await work();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage('stop');
    return [await ended, result];
  } finally {
    await worker.terminate();
  }
};
