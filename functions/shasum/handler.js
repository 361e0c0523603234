import { createHash } from 'node:crypto';

const algorithms = ['sha512', 'sha384', 'sha256', 'sha224', 'sha1'];

/** The checksum of the body, spelled as the `sha512sum` family does. */
export default async function handler(request) {
  const algorithm = new URL(request.url).searchParams.get('algorithm') ?? 'sha512';
  if (!algorithms.includes(algorithm)) {
    return new Response(`algorithm must be one of ${algorithms.join(', ')}\n`, { status: 400 });
  }
  const hash = createHash(algorithm);
  for await (const chunk of request.body ?? []) hash.update(chunk);
  return new Response(`${hash.digest('hex')}  -\n`, { headers: { 'content-type': 'text/plain' } });
}
