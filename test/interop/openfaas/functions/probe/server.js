const { createHash } = require('node:crypto');
const { readFileSync, readdirSync } = require('node:fs');
const { createServer } = require('node:http');
const { join } = require('node:path');

/** A function that answers as `?do=` says, and otherwise with what reached it. */
const answers = {
  status: (request, response, query) =>
    response.writeHead(Number(query.get('status')), { 'x-from': 'function' }).end('as asked'),

  redirect: (request, response) => response.writeHead(302, { location: 'http://elsewhere.invalid/there?a=b' }).end(),

  /** Ends only when the caller has seen the first part, and says so with another call. */
  stream: (request, response, query) => {
    response.writeHead(200, { 'content-type': query.get('type') });
    response.write(query.get('first'));
    held.set(query.get('key'), () => response.end(query.get('second')));
  },

  release: (request, response, query) => {
    held.get(query.get('key'))?.();
    response.end(String(held.delete(query.get('key'))));
  },

  trailers: (request, response) => {
    response.writeHead(200, { trailer: 'x-checksum' });
    response.write('body');
    response.addTrailers({ 'x-checksum': 'abc' });
    response.end();
  },

  headers: (request, response) =>
    response
      .writeHead(
        200,
        [
          ['content-type', 'application/vnd.probe'],
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['x-custom', 'Kept'],
        ].flat(),
      )
      .end('ok'),

  bytes: (request, response, query) => response.end(Buffer.alloc(Number(query.get('bytes')), 'a')),

  digest: async (request, response) => {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of request) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
  },

  /** Never answers. */
  wait: () => {},

  break: (request) => request.socket.destroy(),

  log: async (request, response, query) => {
    console.log(query.get('line'));
    response.end();
  },

  secrets: (request, response) => {
    const folder = process.env.SECRETS_PATH;
    const values = readdirSync(folder)
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'base64')]);
    response.end(JSON.stringify(Object.fromEntries(values)));
  },

  env: (request, response) => response.end(JSON.stringify(process.env)),
};

const held = new Map();

const tell = async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method, url, headers, rawHeaders, trailers } = request;
  const body = Buffer.concat(chunks).toString('base64');
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ method, url, headers, rawHeaders, trailers, body }));
};

createServer((request, response) => {
  const query = new URL(request.url, 'http://function').searchParams;
  const answer = answers[query.get('do')] ?? tell;
  Promise.resolve(answer(request, response, query)).catch((error) => response.destroy(error));
}).listen(process.env.PORT);
