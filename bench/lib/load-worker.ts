import { parentPort, workerData } from 'node:worker_threads';
import type { LoadOptions } from '../../src/loadtest/load-options.ts';
import { runLoad } from '../../src/loadtest/run-load.ts';

/** A load in a thread of its own: begins at once, ends when it is told anything, and then tells the result. */
const stop = new AbortController();
parentPort?.once('message', () => stop.abort());
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort?.postMessage(await runLoad(workerData as LoadOptions, { signal: stop.signal }));
