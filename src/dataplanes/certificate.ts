import 'reflect-metadata';
import { X509Certificate, webcrypto, type KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const tenYearsMs = 10 * 365 * 24 * 3600 * 1000;
const dayMs = 24 * 3600 * 1000;

export type ChannelCredentials = { readonly key: string; readonly cert: string };

/**
 * A certificate over a node's own Ed25519 key, signed by that key. It says nothing that anyone needs to believe: peers
 * compare the key in it with the one they know, and TLS 1.3 proves that the other side holds it. Dates are generous
 * because trust ends with membership, not with a date.
 */
export const selfSigned = async (privateKey: KeyObject, now: number): Promise<ChannelCredentials> => {
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  const algorithm = { name: 'Ed25519' };
  const signing = await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
  const { crv, kty, x } = privateKey.export({ format: 'jwk' });
  const verifying = await webcrypto.subtle.importKey('jwk', { crv, kty, x } as webcrypto.JsonWebKey, algorithm, true, [
    'verify',
  ]);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: '01',
      subject: 'CN=skein node',
      // Named apart from its subject, so that what checks chains of certificates can take the known key for its signer.
      issuer: 'CN=skein key',
      notBefore: new Date(now - dayMs),
      notAfter: new Date(now + tenYearsMs),
      signingAlgorithm: algorithm,
      signingKey: signing,
      publicKey: verifying,
    },
    webcrypto,
  );
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, cert: certificate.toString('pem') };
};

/** The Ed25519 key of a certificate, 32 bytes in hexadecimal; undefined when it holds another kind of key. */
export const publicKeyOf = (der: Buffer): string | undefined => {
  const publicKey = keyIn(der);
  if (publicKey?.asymmetricKeyType !== 'ed25519') return undefined;
  const { x } = publicKey.export({ format: 'jwk' });
  return x === undefined ? undefined : Buffer.from(x, 'base64url').toString('hex');
};

/** Strangers may show certificates that nothing here can read. */
const keyIn = (der: Buffer): KeyObject | undefined => {
  try {
    return new X509Certificate(der).publicKey;
  } catch {
    return undefined;
  }
};
