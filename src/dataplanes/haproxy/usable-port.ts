import { createServer, type AddressInfo } from 'node:net';
import { SkeinError } from '../../domain/errors.ts';

/** One's own port, the one that was used before, or any; `unavailable` names one that is in use. */
export const usablePort = async (host: string, wanted: number, before: number | undefined): Promise<number> => {
  if (wanted === 0 && before !== undefined) {
    const again = await tryPort(host, before);
    if (again !== undefined) return again;
  }
  const port = await tryPort(host, wanted);
  if (port !== undefined) return port;
  throw new SkeinError('unavailable', `port ${wanted} of ${host} is in use, or may not be used by this user`);
};

const tryPort = (host: string, port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: host === '*' ? '::' : host, port }, () => {
      const { port: bound } = server.address() as AddressInfo;
      server.close(() => resolve(bound));
    });
  });
