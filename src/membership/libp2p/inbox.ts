import type { NodeId } from '../../domain/ids.ts';
import type { Clock } from '../../std/clock.ts';
import { decodeMessage, type Message } from '../message.ts';
import { messageIdBytes } from './frames.ts';
import { RateLimit, type Rate } from './rate-limit.ts';
import { Recent } from './recent.ts';

/** What one node may send: enough to hand over a catalogue, too little to keep this one from its work. */
export const messageRate: Rate = { perSecond: 300, burst: 1500 };
const byteRate: Rate = { perSecond: 8 * 1024 * 1024, burst: 64 * 1024 * 1024 };

const rememberedMessages = 20_000;
const rememberedSenders = 2048;

type Sender = { readonly messages: RateLimit; readonly bytes: RateLimit };

/** Takes in what came directly or by gossip: a message of proven sender that is sound, new, and not one too many. */
export class Inbox {
  readonly #clock: Clock;
  readonly #recent = new Recent(rememberedMessages);
  readonly #senders = new Map<NodeId, Sender>();
  #received = 0;
  #rejected = 0;

  constructor(needs: { readonly clock: Clock }) {
    this.#clock = needs.clock;
  }

  counters(): { readonly received: number; readonly rejected: number } {
    return { received: this.#received, rejected: this.#rejected };
  }

  /** Whether `from` may send so much now; counts what it may not. */
  admit(from: NodeId, bytes: number): boolean {
    const sender = this.#sender(from);
    const admitted = sender.messages.take(1) && sender.bytes.take(bytes);
    if (!admitted) this.#rejected++;
    return admitted;
  }

  /** Something came that is no message. */
  reject(): void {
    this.#rejected++;
  }

  /** The message in an admitted payload: `repeated` when it came before, `rejected` when it is none. */
  open(from: NodeId, payload: Uint8Array): Message | 'repeated' | 'rejected' {
    const id = Buffer.from(payload.subarray(0, messageIdBytes)).toString('hex');
    const message = decodeMessage(payload.subarray(messageIdBytes));
    if (message === undefined) {
      this.#rejected++;
      return 'rejected';
    }
    if (!this.#recent.add(`${from}/${id}`)) return 'repeated';
    this.#received++;
    return message;
  }

  #sender(id: NodeId): Sender {
    const known = this.#senders.get(id);
    if (known !== undefined) return known;
    const [oldest] = this.#senders.keys();
    if (this.#senders.size >= rememberedSenders && oldest !== undefined) this.#senders.delete(oldest);
    const sender = {
      messages: new RateLimit({ clock: this.#clock, rate: messageRate }),
      bytes: new RateLimit({ clock: this.#clock, rate: byteRate }),
    };
    this.#senders.set(id, sender);
    return sender;
  }
}
