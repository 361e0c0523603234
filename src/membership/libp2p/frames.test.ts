import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeFrame, FrameReader, maxPayloadBytes, type Frame } from './frames.ts';

const read = (chunks: readonly Uint8Array[]): (Frame | undefined)[] => {
  const frames: (Frame | undefined)[] = [];
  const reader = new FrameReader((frame) => frames.push(frame));
  for (const chunk of chunks) reader.push(chunk);
  return frames;
};

const kinds = fc.constantFrom('message', 'ping', 'pong', 'peers', 'bye');

it('frames survive any cut of the stream', () => {
  const frames = fc.array(fc.record({ kind: kinds, payload: fc.uint8Array({ maxLength: 40 }) }), { maxLength: 10 });
  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 50 }), (frames, size) => {
      const bytes = Buffer.concat(frames.map(({ kind, payload }) => encodeFrame(kind, payload)));
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        Uint8Array.from(bytes.subarray(n * size, (n + 1) * size)),
      );
      expect(read(chunks)).toEqual(frames);
    }),
  );
});

it('what is too long is skipped, and any bytes never throw', () => {
  const long = encodeFrame('message', new Uint8Array(maxPayloadBytes + 1));
  expect(read([long, encodeFrame('bye', new Uint8Array())])).toEqual([
    undefined,
    { kind: 'bye', payload: new Uint8Array() },
  ]);
  fc.assert(fc.property(fc.array(fc.uint8Array()), (chunks) => read(chunks).length >= 0));
});
