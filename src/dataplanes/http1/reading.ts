import { Socket, type BoundSocket, type OnReadOpts, type Server, type SocketConstructorOpts } from 'node:net';

/** Where sockets read to, one after the other: what came is copied out before anything else is read. */
const landing = Buffer.allocUnsafeSlow(64 * 1024);

/** Short reads are cut from a slab: small, because one of them that waits somewhere keeps all of it. */
const slabBytes = 8 * 1024;
const shortBytes = 1024;
let slab = Buffer.allocUnsafeSlow(slabBytes);
let used = 0;

const landed = (length: number): Buffer => {
  if (length > shortBytes) return Buffer.from(landing.buffer.slice(0, length));
  if (used + length > slabBytes) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    used = 0;
  }
  const chunk = slab.subarray(used, used + length);
  used += length;
  landing.copy(chunk, 0, 0, length);
  return chunk;
};

/**
 * For a socket that is to be made. It reads into one buffer that is used again, and where somebody listens for `data` and nothing
 * waits before it, tells that past the machinery of streams: a read costs half so much. For the rest it is a stream like others.
 */
export const readingInto = (socketOf: () => Socket): OnReadOpts => ({
  buffer: landing,
  callback: (length) => {
    const socket = socketOf();
    const chunk = landed(length);
    const flows = socket.readableFlowing === true && socket.readableLength === 0 && socket.listenerCount('data') > 0;
    if (!flows) return socket.push(chunk);
    socket.emit('data', chunk);
    return true;
  },
});

/** What Node's sockets have and do not tell of. */
type Inside = Socket & {
  _handle?: { readonly useUserBuffer?: unknown } | null;
  _server?: Server | null;
};

/**
 * A socket that a server gave out, made anew so that it reads as `readingInto` says: Node lets only who connects ask for that. The
 * one given out must not be used any more. Where Node's inside is not as it is known, and for TLS, it is the same socket.
 */
export const reread = (accepted: Socket): Socket => {
  const before = accepted as Inside;
  const { _handle: handle, _server: server } = before;
  if (accepted.constructor !== Socket || typeof handle?.useUserBuffer !== 'function' || server === undefined) {
    return accepted;
  }
  const options: SocketConstructorOpts & { manualStart: true } = {
    handle: handle as unknown as BoundSocket,
    manualStart: true,
    onread: readingInto(() => socket),
  };
  const socket: Inside = new Socket(options);
  // The server counts its connections by this, and closes when there is none.
  socket._server = server;
  before._server = null;
  before._handle = null;
  accepted.destroy();
  return socket;
};
