import { generateKeyPairSync, sign } from 'node:crypto';
import { bits, certificatePem, integer, objectId, sequence, set, tagged, utcTime, utf8 } from '../std/der.ts';

const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'));
const name = sequence(set(sequence(objectId('550403'), utf8('odd'))));
const validity = sequence(utcTime('200101000000Z'), utcTime('491231235959Z'));

/** A self-signed certificate over a key on a curve that few programs know (RFC 5639). */
export const oddCertificate = (): { readonly key: string; readonly cert: string } => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' });
  const key = publicKey.export({ type: 'spki', format: 'der' });
  const body = sequence(tagged(0xa0, integer(2)), integer(1), ecdsaWithSha256, name, validity, name, key);
  const whole = sequence(body, ecdsaWithSha256, bits(sign('sha256', body, privateKey)));
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert: certificatePem(whole) };
};
