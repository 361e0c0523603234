import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { goHeaders } from './cgi.ts';
import { Fault } from './fault.ts';

export type BodyNeeds = {
  readonly scratch: string;
  readonly maxBytes: number;
  /** Milliseconds for it to arrive; 0 = no bound. */
  readonly timeoutMs: number;
  /** Whether the process gets headers and body as one JSON document. */
  readonly marshal: boolean;
  readonly signal: AbortSignal;
};

const heldBytes = 256 * 1024;
let named = 0;

/**
 * The whole body of a request as an open file without a name, at its start: however long it is it takes no memory, and a
 * process may open it again as `/dev/stdin`. The caller closes it. Rejects with a `Fault` when it does not arrive.
 */
export const receiveBody = async (request: IncomingMessage, needs: BodyNeeds): Promise<number> => {
  const file = new Spool(needs.scratch);
  try {
    await receive(request, file, needs);
    return needs.marshal ? marshalled(request, file, needs.scratch) : file.take();
  } catch (error) {
    file.discard();
    throw error;
  }
};

const receive = async (request: IncomingMessage, file: Spool, needs: BodyNeeds): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = (): void => reject(new Fault(400, 'i/o timeout'));
  const timer = needs.timeoutMs > 0 ? setTimeout(late, needs.timeoutMs) : undefined;
  const stop = (): void => reject(new Fault(400, 'unexpected EOF'));
  needs.signal.addEventListener('abort', stop);
  request.on('data', (chunk: Buffer) => {
    try {
      if (file.bytes + chunk.length > needs.maxBytes) {
        throw new Fault(413, `the request body is longer than ${needs.maxBytes} bytes (max_body_bytes)`);
      }
      file.add(chunk);
    } catch (error) {
      reject(error);
    }
  });
  request.once('end', resolve).once('error', stop);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    needs.signal.removeEventListener('abort', stop);
    request.removeAllListeners('data').resume();
  }
};

/** Collects bytes, in memory while they are few, and then in a file. */
class Spool {
  readonly #scratch: string;
  #fd: number | undefined;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #written = 0;

  constructor(scratch: string) {
    this.#scratch = scratch;
  }

  get bytes(): number {
    return this.#written + this.#heldBytes;
  }

  add(chunk: Buffer): void {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes >= heldBytes) this.#write();
  }

  take(): number {
    this.#write();
    const fd = this.#fd ?? openSync('/dev/null', 'r');
    this.#fd = undefined;
    return fd;
  }

  discard(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  /** At positions, so that the file stays at its start for whoever reads it. */
  #write(): void {
    if (this.#heldBytes === 0) return;
    this.#fd ??= openNameless(this.#scratch);
    const bytes = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    for (let at = 0; at < bytes.length;) {
      at += writeSync(this.#fd, bytes, at, bytes.length - at, this.#written + at);
    }
    this.#written += bytes.length;
    this.#held = [];
    this.#heldBytes = 0;
  }
}

const openNameless = (scratch: string): number => {
  const path = join(scratch, `body-${named++}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
};

/** `marshal_request`: `{"header": {NAME: [VALUES]}, "body": {"raw": BASE64}}`. */
const marshalled = (request: IncomingMessage, body: Spool, scratch: string): number => {
  const fd = body.take();
  try {
    const header = Object.fromEntries([...goHeaders(request)].sort(([one], [other]) => (one < other ? -1 : 1)));
    const document = { header, body: { raw: readFileSync(fd).toString('base64') } };
    const spool = new Spool(scratch);
    spool.add(Buffer.from(JSON.stringify(document)));
    return spool.take();
  } finally {
    closeSync(fd);
  }
};
