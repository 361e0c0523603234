import { createServer, type AddressInfo } from 'node:net';
import { cannotListen, type WantedPort } from '../../domain/cannot-listen.ts';

export type Asked = { readonly host: string } & WantedPort;

/** One's own port, the one that was used before, or any. Faults are those of `cannotListen`. */
export const usablePort = async (asked: Asked, before: number | undefined): Promise<number> => {
  const { host, port: wanted } = asked;
  if (wanted === 0 && before !== undefined) {
    const again = await tryPort(host, before).catch(() => undefined);
    if (again !== undefined) return again;
  }
  return tryPort(host, wanted).catch((error: unknown) => {
    throw cannotListen(host, asked, error);
  });
};

const tryPort = (host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: host === '*' ? '::' : host, port }, () => {
      const { port: bound } = server.address() as AddressInfo;
      server.close(() => resolve(bound));
    });
  });
