import { ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Upgrade } from './exchange.ts';
import { rawLines } from './headers.ts';
import { parseTarget } from './target.ts';

/**
 * Whether a request is one that may become another protocol: of a function, without a body, and not HTTP/2, which would carry requests
 * past everything that looks at them here. For others the wish is not heard, and does not travel.
 */
export const mayUpgrade = ({ method, url, headers }: IncomingMessage): boolean => {
  const { upgrade = '', 'content-length': length = '0', 'transfer-encoding': coding } = headers;
  const plain = method === 'GET' && coding === undefined && length === '0';
  return plain && /^[\w./-]+$/.test(upgrade) && !/^h2/i.test(upgrade) && parseTarget(url ?? '/') !== undefined;
};

/** Calls `handle` for each request that `mayUpgrade`, with an answer as good as any other's; its connection ends with it. */
export const onUpgrade = (
  server: Server,
  handle: (request: IncomingMessage, response: ServerResponse, upgrade: Upgrade) => void,
): void => {
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const socket = stream as Socket;
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    response.once('finish', () => socket.destroySoon());
    // What the server does for its other answers.
    socket.on('drain', () => response.emit('drain'));
    const accept = (headers: string[]): Duplex => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${rawLines(headers)}\r\n`, 'latin1');
      if (head.length > 0) socket.unshift(head);
      return socket;
    };
    handle(request, response, { protocol: request.headers.upgrade ?? '', accept });
  });
};
