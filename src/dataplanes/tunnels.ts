import type { Duplex } from 'node:stream';
import type { Deadlines } from '../std/deadlines.ts';
import type { Call } from './call.ts';
import { valueOf, type RawHeaders } from './headers.ts';

/** When one side has ended, the other has so long to say its last words. */
const lastWordsMs = 10_000;

/** Connections that became another protocol's: bytes go both ways until both sides have ended. */
export class Tunnels {
  readonly #idleMs: number;
  readonly #deadlines: Deadlines<Call>;
  readonly #ends = new Set<() => void>();

  /** One that is silent for `idleMs` is ended; `deadlines` do not bound it any more. */
  constructor(idleMs: number, deadlines: Deadlines<Call>) {
    this.#idleMs = idleMs;
    this.#deadlines = deadlines;
  }

  /**
   * Passes on a 101 and what follows it. `headers` are those for the client, `raw` what the other side said. `left` is called
   * once, when nothing is left of either connection.
   */
  open(call: Call, headers: RawHeaders, raw: readonly string[], server: Duplex, left: () => void): void {
    if (call.ended || call.upgrade === undefined) {
      server.destroy();
      return left();
    }
    this.#deadlines.remove(call);
    call.switched = true;
    const protocol = valueOf(raw, 'upgrade') ?? call.upgrade.protocol;
    const client = call.upgrade.accept([...headers, 'Connection', 'Upgrade', 'Upgrade', protocol]);
    const end = join(call, client, server, this.#idleMs, () => {
      this.#ends.delete(end);
      left();
    });
    call.carrier = { cancel: end };
    this.#ends.add(end);
  }

  /** Ends all at once. */
  close(): void {
    for (const end of this.#ends) end();
  }
}

/** One side that breaks takes the other with it, and so does silence. Answers what ends both at once. */
const join = (call: Call, client: Duplex, server: Duplex, idleMs: number, done: () => void): (() => void) => {
  const open = new Set([client, server]);
  const end = (): void => {
    for (const side of open) side.destroy();
  };
  let timer = setTimeout(end, idleMs);
  const carry = (from: Duplex, to: Duplex, count: (bytes: number) => void): void => {
    // One side may say that it has no more to say, and still listen.
    from.allowHalfOpen = true;
    from.on('data', (chunk: Buffer) => {
      count(chunk.length);
      timer.refresh();
    });
    from.pipe(to);
    from.once('end', () => {
      clearTimeout(timer);
      timer = setTimeout(end, Math.min(idleMs, lastWordsMs));
    });
    from.on('error', () => from.destroy());
    from.once('close', () => {
      open.delete(from);
      // What it said last is still delivered; what the other says nobody hears.
      if (to.writableFinished || to.destroyed) to.destroy();
      else to.end(() => to.destroy());
      if (open.size > 0) return;
      clearTimeout(timer);
      done();
    });
  };
  carry(client, server, (bytes) => (call.bytesIn += bytes));
  carry(server, client, (bytes) => (call.bytesOut += bytes));
  return end;
};
