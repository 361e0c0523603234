import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { SkeinError } from '../domain/errors.ts';

/** Seals what must not be read on a disk or on the way between nodes. */
export type Vault = {
  /** `value` as text that only a vault of the same federation opens, and only under the same `label`. */
  seal(label: string, value: Uint8Array): string;
  /** What was sealed. `unavailable` when it was sealed with another key or for another label, or was changed since. */
  open(label: string, sealed: string): Buffer;
};

const format = 'v1.';
const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * A vault for a federation's key (64 hexadecimal digits). Its own key is derived from that one, so that what the federation's
 * key does elsewhere says nothing about it; the label is authenticated, so that a sealed value cannot be put in another's place.
 */
export const createVault = (federationKey: string): Vault => {
  const master = Buffer.from(federationKey, 'hex');
  if (master.length !== 32) throw new SkeinError('internal', 'a federation key has 64 hexadecimal digits');
  const key = Buffer.from(hkdfSync('sha256', master, '', 'skein secrets v1', 32));
  return {
    seal: (label, value) => {
      const nonce = randomBytes(nonceBytes);
      const sealing = createCipheriv(cipher, key, nonce).setAAD(Buffer.from(label));
      const body = Buffer.concat([sealing.update(value), sealing.final()]);
      return format + Buffer.concat([nonce, body, sealing.getAuthTag()]).toString('base64');
    },
    open: (label, sealed) => {
      const bytes = sealed.startsWith(format) ? Buffer.from(sealed.slice(format.length), 'base64') : Buffer.alloc(0);
      if (bytes.length < nonceBytes + tagBytes) throw cannotOpen(label);
      const opening = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
        .setAAD(Buffer.from(label))
        .setAuthTag(bytes.subarray(bytes.length - tagBytes));
      try {
        return Buffer.concat([opening.update(bytes.subarray(nonceBytes, bytes.length - tagBytes)), opening.final()]);
      } catch (cause) {
        throw cannotOpen(label, cause);
      }
    },
  };
};

const cannotOpen = (label: string, cause?: unknown): SkeinError =>
  new SkeinError(
    'unavailable',
    `${label} cannot be opened: it was sealed with another federation key, or changed since; set it again`,
    { cause },
  );
