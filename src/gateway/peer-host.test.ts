import { describe, expect, it } from 'vitest';
import { longestLineBytes } from '../providers/provider.ts';
import { createPeerHost } from './peer-host.ts';

const { signal } = new AbortController();
const answering = (body: string, status = 200) =>
  createPeerHost({ id: 'node-2', name: 'node-2' }, async () => new Response(body, { status }));

describe('a peer as a host of functions', () => {
  it('takes nothing that is not a list of functions', async () => {
    const good = { name: 'a', namespace: 'b', placed: true, replicas: 1, availableReplicas: 1, invocationCount: 2 };
    expect(await answering(JSON.stringify([good])).list(signal)).toEqual([good]);
    for (const body of ['', '{', '{}', 'null', JSON.stringify([{ ...good, replicas: -1 }]), '[1e999]']) {
      await expect(answering(body).list(signal)).rejects.toMatchObject({ code: 'unavailable' });
    }
  });

  it('reads no more than a bounded answer', async () => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    const host = createPeerHost({ id: 'node-2', name: 'node-2' }, async () => new Response(endless));
    await expect(host.list(signal)).rejects.toMatchObject({ code: 'unavailable' });
    expect(sent).toBeLessThan(8 * 1024 * 1024);
  });

  it('tells a function that is not there from a peer that is not', async () => {
    const ref = { name: 'a', namespace: 'b' };
    const wish = { replicas: 1, held: false };
    await expect(answering('no\n', 404).scale(ref, wish, signal)).rejects.toMatchObject({ code: 'not-found' });
    await expect(answering('no\n', 503).scale(ref, wish, signal)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(answering('no\n', 500).list(signal)).rejects.toMatchObject({ code: 'unavailable' });
    await answering('', 202).scale(ref, wish, signal);
  });

  it.each(['x', '"', '\u0000', '€'])('reads the longest line that a node tells, also of %j', async (character) => {
    const timestamp = '2026-01-01T00:00:00.000Z';
    const line = { instance: 'r1', timestamp, text: character.repeat(longestLineBytes / Buffer.byteLength(character)) };
    const lines = Buffer.from(`${JSON.stringify(line)}\n${JSON.stringify({ ...line, text: 'after' })}\n`);
    const host = createPeerHost({ id: 'node-2', name: 'node-2' }, async () => new Response(inPieces(lines)));
    const query = { name: 'a', namespace: 'b', tail: 0, since: 0, follow: false };
    const lengths = [];
    for await (const { text } of host.logs(query, signal)) lengths.push(text.length);
    expect(lengths).toEqual([line.text.length, 5]);
  });
});

/** As a connection brings it. */
const inPieces = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
  let at = 0;
  return new ReadableStream({
    pull: (controller) => {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, (at += 65_536)));
    },
  });
};
