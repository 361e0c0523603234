import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadHandler } from '../../src/providers/process/worker/load.ts';

/**
 * A replica without Skein around it: the same handler code over the same HTTP server of Node, but on a TCP port of
 * loopback, where any load client reaches it, and at a unix socket too when it is told one. Tells its parent the port,
 * and ends with it.
 */
const [handler = '', path] = process.argv.slice(2);
const listener = await loadHandler(handler, 'auto');
const open = () =>
  createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 120_000, noDelay: true }, listener);
if (path !== undefined) await new Promise<void>((resolve) => void open().listen(path, resolve));
const server = open();
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
