import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import tesseract from 'tesseract.js';

const maxBytes = 10 * 1024 * 1024;
/** Images that wait for the one that is being read. */
const maxWaiting = 8;

const data = path.dirname(fileURLToPath(import.meta.resolve('@tesseract.js-data/eng/package.json')));

// Started once: loading the engine and the language costs more than reading a page.
const worker = await tesseract.createWorker('eng', tesseract.OEM.LSTM_ONLY, {
  langPath: path.join(data, '4.0.0_best_int'),
  cacheMethod: 'none',
  gzip: true,
  // What fails is told to the one who asked.
  errorHandler: () => {},
});

let waiting = 0;

const server = createServer(async (request, response) => {
  const answer = (status, type, body) => response.writeHead(status, { 'content-type': type }).end(body);
  const refuse = (status, sentence) => answer(status, 'text/plain', `${sentence}\n`);
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname === '/healthz') return answer(200, 'text/plain', '');
  if (waiting >= maxWaiting) return refuse(429, 'too many images wait already');
  waiting += 1;
  try {
    const image = await bodyOf(request);
    if (image === undefined) return refuse(413, `an image has at most ${maxBytes} bytes`);
    if (!isImage(image)) return refuse(400, 'send an image as the body: PNG, JPEG, BMP, GIF, TIFF or WebP');
    const { text, confidence } = (await worker.recognize(image)).data;
    if (!searchParams.has('json')) return answer(200, 'text/plain; charset=utf-8', text);
    return answer(200, 'application/json', JSON.stringify({ text, confidence }));
  } catch (error) {
    if (response.headersSent) return response.destroy();
    return refuse(422, `the image cannot be read: ${String(error?.message ?? error)}`);
  } finally {
    waiting -= 1;
  }
});

/** undefined when it is too long. */
const bodyOf = async (request) => {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const beginnings = ['89504e47', 'ffd8ff', '424d', '47494638', '49492a00', '4d4d002a', '52494646'];

const isImage = (bytes) => beginnings.some((hex) => bytes.subarray(0, hex.length / 2).toString('hex') === hex);

server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
