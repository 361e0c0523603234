import QRCode from 'qrcode';

/** The most bytes that a QR code of the largest size holds. */
const maxBytes = 2953;

const types = { png: 'image/png', svg: 'image/svg+xml', text: 'text/plain; charset=utf-8' };

/** What it is sent, or `?text=`, as a QR code: PNG, or what `?format=` or `Accept` asks for (svg, text). */
export default async function handler(request) {
  const query = new URL(request.url).searchParams;
  const format = query.get('format') ?? accepted(request.headers.get('accept') ?? '');
  if (!Object.hasOwn(types, format)) return refused(400, `format must be one of ${Object.keys(types).join(', ')}`);
  const text = query.get('text') ?? (await textOf(request));
  if (text === undefined || Buffer.byteLength(text) > maxBytes) {
    return refused(413, `a QR code holds at most ${maxBytes} bytes`);
  }
  if (text === '') return refused(400, 'send the text that the code is to hold, or give ?text=');
  return new Response(await draw(text, format), { headers: { 'content-type': types[format] } });
}

const draw = (text, format) => {
  if (format === 'png') return QRCode.toBuffer(text, { scale: 8 });
  return QRCode.toString(text, { type: format === 'svg' ? 'svg' : 'utf8' });
};

/** The first of the types named that can be made; anything else, such as curl's own, gets a PNG. */
const accepted = (header) => {
  for (const part of header.split(',')) {
    const type = part.split(';', 1)[0].trim().toLowerCase();
    if (type === 'image/svg+xml') return 'svg';
    if (type === 'text/plain') return 'text';
    if (type === 'image/png') return 'png';
  }
  return 'png';
};

/** The body, without the line end that shells add; undefined when it is longer than any code. */
const textOf = async (request) => {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes + 2) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
};

const refused = (status, sentence) =>
  new Response(`${sentence}\n`, { status, headers: { 'content-type': 'text/plain' } });
