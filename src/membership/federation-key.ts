import { randomBytes } from 'node:crypto';
import { SkeinError } from '../domain/errors.ts';
import { loadOrCreateSecret } from './secret-file.ts';

/** The secret that all nodes of a federation share: 32 bytes in lower-case hexadecimal. */
export type FederationKey = string;

/**
 * The key kept in `file` in libp2p's pre-shared key format; a new one is made when the file is not there (a federation's
 * first node), to be copied to the other nodes. `invalid` when others may read it or it holds anything else.
 */
export const loadOrCreateFederationKey = async (file: string): Promise<FederationKey> => {
  const text = await loadOrCreateSecret(file, "the federation's key", () => renderFederationKey(createFederationKey()));
  const key = pattern.exec(text)?.[1];
  if (key === undefined) {
    throw new SkeinError(
      'invalid',
      `${file} holds no federation key (three lines: ${header}, ${encoding}, 64 hexadecimal digits): copy the file of a node that is in the federation, or remove it to found a new one`,
    );
  }
  return key.toLowerCase();
};

export const createFederationKey = (): FederationKey => randomBytes(32).toString('hex');

/** The text of a key file. */
export const renderFederationKey = (key: FederationKey): string => `${header}\n${encoding}\n${key}\n`;

const header = '/key/swarm/psk/1.0.0/';
const encoding = '/base16/';
const pattern = /^\/key\/swarm\/psk\/1\.0\.0\/\r?\n\/base16\/\r?\n([0-9a-fA-F]{64})\s*$/;
