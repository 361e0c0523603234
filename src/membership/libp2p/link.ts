import type { Stream } from '@libp2p/interface';
import { messageOf } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { Outbox, type Parcel } from './outbox.ts';

const retryMs = 200;

type Needs = {
  readonly clock: Clock;
  readonly log: Log;
  /** Opens a stream to the peer; rejects within a bounded time when that fails. */
  readonly open: () => Promise<Stream>;
  /** What every stream begins with, so that what was lost with the one before it is said again. */
  readonly greeting: () => readonly Uint8Array[];
};

/** The way to one connected peer: one stream, opened again when it breaks. */
export class Link {
  readonly #needs: Needs;
  readonly #outbox = new Outbox();
  #stream: Stream | undefined;
  /** Writing, or waiting to try again. */
  #busy = false;
  #closed = false;
  #cancelRetry: () => void = () => {};

  constructor(needs: Needs) {
    this.#needs = needs;
    void this.#write();
  }

  /** False when the parcel was refused, because the peer does not keep up or the link is closed. */
  post(parcel: Parcel): boolean {
    if (this.#closed || !this.#outbox.push(parcel)) return false;
    void this.#write();
    return true;
  }

  /** Drops what waits. */
  close(): void {
    this.#closed = true;
    this.#cancelRetry();
    this.#outbox.clear();
    this.#stream?.abort(new Error('the link is closed'));
  }

  /** Never rejects: what cannot be written is dropped, and the rest is tried again while the peer is connected. */
  async #write(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    let parcel: Parcel | undefined;
    try {
      const stream = await this.#opened();
      for (parcel = this.#outbox.shift(); parcel !== undefined; parcel = this.#outbox.shift()) {
        if (!stream.send(parcel.frame)) await stream.onDrain();
        parcel.done?.(true);
      }
      this.#busy = false;
    } catch (error) {
      parcel?.done?.(false);
      this.#retry(messageOf(error));
    }
  }

  async #opened(): Promise<Stream> {
    if (this.#stream?.status === 'open') return this.#stream;
    const stream = await this.#needs.open();
    this.#stream = stream;
    if (this.#closed) stream.abort(new Error('the link is closed'));
    stream.addEventListener('close', () => {
      if (this.#stream === stream && !this.#busy) this.#retry('it was closed');
    });
    for (const frame of this.#needs.greeting()) if (!stream.send(frame)) await stream.onDrain();
    return stream;
  }

  #retry(reason: string): void {
    this.#busy = true;
    if (this.#closed) return;
    this.#needs.log.debug({ reason }, 'a stream to a peer broke');
    this.#cancelRetry = this.#needs.clock.after(retryMs, () => {
      this.#busy = false;
      void this.#write();
    });
  }
}
