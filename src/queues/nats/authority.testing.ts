import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const hourMs = 3_600_000;

export type PemFiles = { readonly certFile: string; readonly keyFile: string };

/** An authority of its own that issues certificates for addresses, each in two files below a folder. */
export class Authority {
  readonly caFile: string;
  readonly #folder: string;
  readonly #ca: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  private constructor(folder: string, name: string, ca: x509.X509Certificate, key: webcrypto.CryptoKey) {
    this.#folder = folder;
    this.#ca = ca;
    this.#key = key;
    this.caFile = join(folder, `${name}.pem`);
    writeFileSync(this.caFile, ca.toString('pem'));
  }

  static async create(folder: string, name: string): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const ca = await x509.X509CertificateGenerator.createSelfSigned(
      {
        ...dates(),
        name: `CN=${name}`,
        keys,
        signingAlgorithm: algorithm,
        extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
      },
      webcrypto,
    );
    return new Authority(folder, name, ca, keys.privateKey);
  }

  async issue(name: string, address = '127.0.0.1'): Promise<PemFiles> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create(
      {
        ...dates(),
        subject: `CN=${name}`,
        issuer: this.#ca.subject,
        publicKey: keys.publicKey,
        signingKey: this.#key,
        signingAlgorithm: algorithm,
        extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }])],
      },
      webcrypto,
    );
    const files = { certFile: join(this.#folder, `${name}.pem`), keyFile: join(this.#folder, `${name}.key`) };
    const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    writeFileSync(files.certFile, certificate.toString('pem'));
    writeFileSync(files.keyFile, `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`, { mode: 0o600 });
    return files;
  }
}

const dates = () => ({ notBefore: new Date(Date.now() - hourMs), notAfter: new Date(Date.now() + 24 * hourMs) });
