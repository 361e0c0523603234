import { createHash, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { selfSigned } from '../dataplanes/certificate.ts';
import type { Admin } from '../gateway/needs.ts';
import { loadOrCreateFederationKey } from '../membership/federation-key.ts';
import { loadOrCreateIdentity } from '../membership/identity.ts';
import { loadOrCreateSecret } from '../membership/secret-file.ts';
import { adminPasswordFile, federationKeyFile, newPassword } from './node-files.ts';

/**
 * What a node is known by, and what it knows others by: read from its files, or made when it first starts. `now`: milliseconds
 * since the epoch. `invalid` for a file that others may read, or that is none.
 */
export const loadNodeKeys = async (config: Config, folder: string, now: number) => {
  const identityFile = join(folder, 'identity.pem');
  const identity = await loadOrCreateIdentity(identityFile);
  const federationKey = await loadOrCreateFederationKey(config.federation.keyFile ?? federationKeyFile(config.data));
  const admin = adminOf(await loadOrCreateSecret(adminPasswordFile(config.data), 'the admin password', newPassword));
  return { identityFile, identity, federationKey, admin, credentials: await selfSigned(identity.privateKey, now) };
};

const adminOf = (secret: string): Admin => {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  const user = hash('admin');
  const password = hash(secret.trim());
  return {
    matches: (givenUser, givenPassword) => {
      const sameUser = timingSafeEqual(hash(givenUser), user);
      const samePassword = timingSafeEqual(hash(givenPassword), password);
      return sameUser && samePassword;
    },
  };
};
