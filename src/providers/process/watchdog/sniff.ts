const signatures: readonly (readonly [string, string])[] = [
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['%PDF-', 'application/pdf'],
  ['\x1f\x8b\x08', 'application/x-gzip'],
  ['PK\x03\x04', 'application/zip'],
];

const html =
  /^[\t\n\f\r ]*<(!doctype html|html|head|body|script|iframe|h1|div|font|table|a|style|title|b|br|p|!--)[ >]/i;
// eslint-disable-next-line no-control-regex
const binary = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/;
const looked = 512;

/** The type of an answer that says none, told from its first bytes as Go's server does. */
export const sniff = (body: Buffer): string => {
  const start = body.toString('latin1', 0, looked);
  for (const [signature, type] of signatures) if (start.startsWith(signature)) return type;
  if (html.test(start)) return 'text/html; charset=utf-8';
  return binary.test(start) ? 'application/octet-stream' : 'text/plain; charset=utf-8';
};
