import fc from 'fast-check';
import { createServer, METHODS } from 'node:http';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { nearly, readAll, request, type Message } from './messages.testing.ts';

/** The same bytes as Node's own server reads them. */
const readByNode = async (bytes: Buffer): Promise<readonly Message[]> => {
  const messages: Message[] = [];
  const server = createServer({ maxHeaderSize: 8_192 }, (request, response) => {
    const body: Buffer[] = [];
    request.on('data', (chunk: Buffer) => body.push(chunk));
    request.on('error', () => undefined);
    request.once('end', () => {
      const { method = '', url = '', rawHeaders } = request;
      messages.push({ method, target: url, headers: rawHeaders, body: Buffer.concat(body).toString('latin1') });
      response.end();
    });
  });
  const wire = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done(), emitClose: true });
  wire.on('error', () => undefined);
  // What came before the fault is handed on first.
  server.on('clientError', () => setImmediate(() => wire.destroy()));
  server.emit('connection', wire);
  const closed = once(wire, 'close');
  wire.push(bytes);
  // What was read is answered before its sender leaves.
  setImmediate(() => setImmediate(() => wire.push(null)));
  await closed;
  server.close();
  return messages;
};

/** Node knows a list of methods, and takes no bytes beyond ASCII in a target. */
const isKnown = ({ method, target }: Message): boolean => METHODS.includes(method) && !/%(80|FF)/.test(target);

it('whatever is taken here, Node takes too, with the same meaning', async () => {
  let taken = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.oneof({ weight: 4, arbitrary: nearly }, { weight: 1, arbitrary: request.map(({ bytes }) => bytes) }),
      async (bytes) => {
        const { messages, fault } = readAll([bytes]);
        const foreign = messages.findIndex((message) => !isKnown(message));
        const ours = foreign < 0 ? messages : messages.slice(0, foreign);
        const theirs = await readByNode(bytes);
        expect(theirs.slice(0, ours.length)).toEqual(ours);
        taken += ours.length;
        if (fault !== undefined) refused += 1;
      },
    ),
    { numRuns: 1_500 },
  );
  expect(Math.min(taken, refused)).toBeGreaterThan(100);
});
