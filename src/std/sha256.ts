import { createHash } from 'node:crypto';

/** The sha256 of a text's UTF-8 bytes. */
export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The same in hexadecimal: 64 digits. */
export const sha256Hex = (text: string): string => sha256(text).toString('hex');
