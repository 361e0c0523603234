import { Readable } from 'node:stream';
import { SkeinError } from '../domain/errors.ts';
import { parseDigest } from '../domain/ids.ts';
import type { Digest } from '../domain/ids.ts';
import type { Call, Handler } from './call.ts';
import { taggableName } from './images.ts';
import type { GatewayNeeds } from './needs.ts';
import { empty, json } from './responses.ts';

export const bundleHandlers = ({
  bundles,
  images,
}: GatewayNeeds): Record<'listBundles' | 'getBundle' | 'putBundle', Handler> => ({
  listBundles: async () => {
    const names = images.list();
    const namesOf = (digest: Digest) => names.filter((name) => name.digest === digest).map((name) => name.image);
    return json((await bundles.list()).map(({ digest, bytes }) => ({ digest, bytes, images: namesOf(digest) })));
  },

  getBundle: async (call) => {
    const { bytes, stream } = await bundles.read(digestOf(call));
    const headers = { 'content-type': 'application/gzip', 'content-length': String(bytes) };
    if (call.method === 'HEAD') {
      stream.destroy();
      return new Response(null, { headers });
    }
    return new Response(Readable.toWeb(stream) as ReadableStream<Uint8Array>, { headers });
  },

  putBundle: async (call) => {
    const digest = digestOf(call);
    const image = call.query.get('image') ?? undefined;
    if (image !== undefined) taggableName(image);
    const known = await bundles.has(digest);
    const archive = archiveOf(call);
    try {
      await bundles.put(archive, digest);
    } finally {
      archive.destroy();
    }
    if (image !== undefined) await images.tag(image, digest);
    return empty(known ? 200 : 201);
  },
});

const digestOf = (call: Call): Digest => {
  const digest = parseDigest(call.params['digest'] ?? '');
  if (digest !== undefined) return digest;
  throw new SkeinError('invalid', 'a bundle is addressed by sha256: and 64 hexadecimal digits in lower case');
};

const archiveOf = (call: Call): Readable => {
  const body = call.body();
  if (body === null) throw new SkeinError('invalid', 'the body must be the bundle: a gzipped tar');
  return Readable.fromWeb(body);
};
