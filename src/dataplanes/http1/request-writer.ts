import type { Socket } from 'node:net';
import type { ClientBody, ClientRequest } from './client-exchange.ts';
import { BodyWriter, type BodyFraming } from './body-writer.ts';
import { SkeinError } from '../../domain/errors.ts';
import { isValue } from './characters.ts';
import { joined, requestLine, writeFields } from './message-text.ts';

/** Methods that mean something by a body, so that none is said as well (RFC 9110, 8.6). */
const withBody = new Set(['POST', 'PUT', 'PATCH']);

/** The head of a request as it goes on the wire. Throws `invalid` for what cannot be sent. */
export const requestHead = ({ method, target, headers, body, upgrade }: ClientRequest): string => {
  const { text, hosted } = writeFields(requestLine(method, target), headers);
  const host = hosted ? '' : 'Host: localhost\r\n';
  const connection = upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${checked(upgrade)}\r\n`;
  return `${text}${host}${connection}${framingText(method, body)}\r\n`;
};

const checked = (value: string): string => {
  if (isValue(value)) return value;
  throw new SkeinError('invalid', `the protocol ${JSON.stringify(value)} cannot be asked for over HTTP`);
};

/** Sends a head, and the body if it is here. Answers a writer for one that is not. */
export const writeRequest = (
  socket: Socket,
  head: string,
  body: ClientBody,
  onSent: (error?: Error | null) => void,
): BodyWriter | undefined => {
  switch (body.kind) {
    case 'none':
      socket.write(head, 'latin1');
      return undefined;
    case 'bytes':
      writeWhole(socket, head, body.bytes);
      return undefined;
    case 'stream':
    case 'later': {
      const writer = new BodyWriter(socket, head, framingOf(body.length), onSent);
      writer.flush();
      return writer;
    }
  }
};

const writeWhole = (socket: Socket, head: string, bytes: Buffer): void => {
  const whole = joined(head, bytes);
  if (whole !== undefined) return void socket.write(whole);
  socket.cork();
  socket.write(head, 'latin1');
  socket.write(bytes);
  socket.uncork();
};

const framingText = (method: string, body: ClientBody): string => {
  switch (body.kind) {
    case 'none':
      return withBody.has(method) ? 'Content-Length: 0\r\n' : '';
    case 'bytes':
      return `Content-Length: ${body.bytes.length}\r\n`;
    case 'stream':
      return streamText(body.length);
    case 'later':
      return `${streamText(body.length)}Expect: 100-continue\r\n`;
  }
};

const streamText = (length: number | undefined): string =>
  length === undefined ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${length}\r\n`;

const framingOf = (length: number | undefined): BodyFraming =>
  length === undefined ? { kind: 'chunked' } : { kind: 'length', length };
