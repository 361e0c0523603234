/**
 * A trust anchor for one peer, as PEM. Peers' certificates are made anew at every start and signed by nobody else;
 * what is known of a peer is its Ed25519 key. So HAProxy is given, as the authority that must have signed the peer's
 * certificate, a certificate over that very key: only what the key's holder signed is accepted. The anchor's own
 * signature is never looked at (it is what trust starts from), so it is all zeros here.
 */
export const anchorOf = (publicKeyHex: string): string => {
  const name = sequence(set(sequence(objectId('550403'), utf8(issuer))));
  const ed25519 = sequence(objectId('2b6570'));
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(1),
    ed25519,
    name,
    sequence(utcTime('200101000000Z'), generalizedTime('99991231235959Z')),
    name,
    sequence(ed25519, bits(Buffer.from(publicKeyHex, 'hex'))),
    tagged(0xa3, sequence(sequence(objectId('551d13'), yes, tagged(0x04, sequence(yes))))),
  );
  const whole = sequence(body, ed25519, bits(Buffer.alloc(64)));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----'].join('\n');
};

/** As `certificate.ts` names the signer of every node's certificate. */
const issuer = 'skein key';

const tagged = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
};
const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts);
const set = (part: Buffer): Buffer => tagged(0x31, part);
const integer = (value: number): Buffer => tagged(0x02, Buffer.from([value]));
const objectId = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, 'hex'));
const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text));
const utcTime = (text: string): Buffer => tagged(0x17, Buffer.from(text));
const generalizedTime = (text: string): Buffer => tagged(0x18, Buffer.from(text));
const bits = (bytes: Buffer): Buffer => tagged(0x03, Buffer.from([0]), bytes);
const yes = Buffer.from([0x01, 0x01, 0xff]);
