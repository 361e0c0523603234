import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

const element = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const sequence = (...parts: readonly Buffer[]): Buffer => element(0x30, ...parts);
const integer = (value: number): Buffer => element(0x02, Buffer.from([value]));
const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

const ecdsaWithSha256 = sequence(element(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
const commonName = element(0x06, Buffer.from('550403', 'hex'));
const name = sequence(element(0x31, sequence(commonName, element(0x0c, Buffer.from('odd')))));
const validity = sequence(element(0x17, Buffer.from('200101000000Z')), element(0x17, Buffer.from('491231235959Z')));

/** A self-signed certificate over a key on a curve that few programs know (RFC 5639). */
export const oddCertificate = (): { readonly key: string; readonly cert: string } => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' });
  const facts = sequence(
    element(0xa0, integer(2)),
    integer(1),
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  return { key: keyText(privateKey), cert: pem(sequence(facts, ecdsaWithSha256, signature(facts, privateKey))) };
};

const keyText = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;

const signature = (facts: Buffer, key: KeyObject): Buffer =>
  element(0x03, Buffer.from([0]), sign('sha256', facts, key));
