/** Writes the few elements of ASN.1 (DER, ITU-T X.690) that a small certificate is made of; up to 65 535 bytes each. */
export const tagged = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
};

export const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts);
export const set = (part: Buffer): Buffer => tagged(0x31, part);
/** 0 to 127. */
export const integer = (value: number): Buffer => tagged(0x02, Buffer.from([value]));
/** `hex`: as it is encoded. */
export const objectId = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, 'hex'));
export const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text));
export const utcTime = (text: string): Buffer => tagged(0x17, Buffer.from(text));
export const generalizedTime = (text: string): Buffer => tagged(0x18, Buffer.from(text));
export const bits = (bytes: Buffer): Buffer => tagged(0x03, Buffer.from([0]), bytes);

/** A certificate as text. */
export const certificatePem = (der: Buffer): string => {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----'].join('\n');
};
