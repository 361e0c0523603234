import { readFile } from 'node:fs/promises';
import type { Config } from '../config/schema.ts';
import { SkeinError, messageOf } from '../domain/errors.ts';
import { readSecret } from '../membership/secret-file.ts';
import type { NatsQueueConfig } from '../queues/nats/nats-queue.ts';

/** The queue's settings with the texts of the files that they name. `invalid` says which file cannot be used, never what is in it. */
export const natsConfig = async (queue: Config['queue']): Promise<NatsQueueConfig> => {
  const { servers, user, passwordFile, tokenFile, credentialsFile } = queue;
  const named = [passwordFile, tokenFile, credentialsFile].filter((file) => file !== undefined);
  if (named.length > 1) {
    throw new SkeinError('invalid', `queue names several secrets for the NATS servers, ${named.join(', ')}: keep one`);
  }
  if ((user === undefined) !== (passwordFile === undefined)) {
    throw new SkeinError('invalid', 'queue.user and queue.passwordFile belong together: set both, or neither');
  }
  const tls = await tlsOf(queue);
  return {
    servers,
    ...(user !== undefined && { user }),
    ...(passwordFile !== undefined && { password: await line(passwordFile, 'the password for the NATS servers') }),
    ...(tokenFile !== undefined && { token: await line(tokenFile, 'the token for the NATS servers') }),
    ...(credentialsFile !== undefined && {
      credentials: await readSecret(credentialsFile, 'the credentials for the NATS servers'),
    }),
    ...(tls !== undefined && { tls }),
  };
};

const tlsOf = async ({ tls, caFile, certFile, keyFile }: Config['queue']): Promise<NatsQueueConfig['tls']> => {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new SkeinError('invalid', 'queue.certFile and queue.keyFile belong together: set both, or neither');
  }
  if (tls === 'auto' && caFile === undefined && certFile === undefined) return undefined;
  return {
    ...(caFile !== undefined && { ca: await open(caFile, 'queue.caFile') }),
    ...(certFile !== undefined && { cert: await open(certFile, 'queue.certFile') }),
    ...(keyFile !== undefined && { key: await readSecret(keyFile, 'the key for the NATS servers') }),
  };
};

const line = async (file: string, what: string): Promise<string> => (await readSecret(file, what)).trim();

const open = async (file: string, setting: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new SkeinError('invalid', `${setting} cannot be read: ${messageOf(cause)}`, { cause });
  }
};
