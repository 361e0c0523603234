import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadHandler } from '../../src/providers/process/worker/load.ts';

/**
 * A replica without Skein around it: the same handler code over the same HTTP server of Node, but on a TCP port of
 * loopback, where any load client reaches it. Tells its parent the port, and ends with it.
 */
const listener = await loadHandler(process.argv[2] ?? '', 'event');
const server = createServer(
  { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 120_000, noDelay: true },
  listener,
);
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
