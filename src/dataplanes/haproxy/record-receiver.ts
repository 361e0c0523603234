import { createServer, type Server, type Socket } from 'node:net';
import type { OnCall } from '../../telemetry/call-record.ts';
import { readLost, readRecord } from './record-line.ts';

/** Longer than any line that HAProxy was told to write. */
const maxLineBytes = 128 * 1024;

/** Where HAProxy tells of calls: lines with their length in front (RFC 6587, 3.4.1), on a socket that only this user can open. */
export class RecordReceiver {
  readonly #server: Server;
  readonly #onCall: OnCall;
  #lost = 0;

  constructor(onCall: OnCall) {
    this.#onCall = onCall;
    this.#server = createServer((socket) => this.#read(socket));
  }

  /** Calls of which HAProxy could not tell, because they came faster than they were read. */
  get lost(): number {
    return this.#lost;
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, () => resolve());
    });
  }

  close(): void {
    this.#server.close();
  }

  #read(socket: Socket): void {
    let unread: Buffer = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      const bytes = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
      let at = 0;
      for (;;) {
        const frame = nextFrame(bytes, at);
        if (frame === 'broken') return void socket.destroy();
        if (frame === undefined) break;
        this.#told(bytes.toString('latin1', frame.from, frame.to));
        at = frame.to;
      }
      unread = Buffer.from(bytes.subarray(at));
    });
  }

  #told(line: string): void {
    const record = readRecord(line);
    if (record !== undefined) this.#onCall(record);
    else this.#lost += readLost(line);
  }
}

type Frame = { readonly from: number; readonly to: number };

/** Undefined until the whole of it is there. */
const nextFrame = (bytes: Buffer, at: number): Frame | 'broken' | undefined => {
  const blank = bytes.indexOf(0x20, at);
  if (blank === -1) return bytes.length - at > 8 ? 'broken' : undefined;
  const digits = bytes.toString('latin1', at, blank);
  const length = /^\d{1,6}$/.test(digits) ? Number(digits) : Number.POSITIVE_INFINITY;
  if (length > maxLineBytes) return 'broken';
  const from = blank + 1;
  return from + length > bytes.length ? undefined : { from, to: from + length };
};
