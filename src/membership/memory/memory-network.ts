import type { NodeId } from '../../domain/ids.ts';
import type { Clock } from '../../std/clock.ts';
import type { Random } from '../../std/random.ts';

/** What happens to what is sent. Rates are between 0 and 1. */
export type Conditions = {
  /** One way, drawn evenly between the two. */
  readonly delayMs: { readonly min: number; readonly max: number };
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** Whether a datagram may overtake an earlier one between the same two nodes. */
  readonly reorder: boolean;
};

export const calm: Conditions = { delayMs: { min: 1, max: 1 }, lossRate: 0, duplicateRate: 0, reorder: false };

/** What members of a memory network put on it. `message` holds an encoded message. */
export type Datagram =
  | { readonly kind: 'message'; readonly bytes: Uint8Array }
  /** Sent from time to time; `echo` answers one by its `sentAt`. */
  | {
      readonly kind: 'hello';
      readonly sentAt: number;
      readonly echo?: number;
      readonly announcement?: Uint8Array;
    }
  | { readonly kind: 'bye' };

type Receive = (from: NodeId, datagram: Datagram) => void;

const maxInFlight = 1_000_000;

/** A network in this process, as bad as it is told to be, and the same again from the same seed. */
export class MemoryNetwork {
  conditions: Conditions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #receivers = new Map<NodeId, Receive>();
  readonly #latest = new Map<string, number>();
  #groups: readonly (readonly NodeId[])[] = [];
  #inFlight = 0;

  constructor(needs: { readonly clock: Clock; readonly random: Random; readonly conditions?: Partial<Conditions> }) {
    this.#clock = needs.clock;
    this.#random = needs.random;
    this.conditions = { ...calm, ...needs.conditions };
  }

  /** Connects a node; returns what unplugs it. */
  attach(id: NodeId, receive: Receive): () => void {
    this.#receivers.set(id, receive);
    return () => {
      if (this.#receivers.get(id) === receive) this.#receivers.delete(id);
    };
  }

  nodes(): readonly NodeId[] {
    return [...this.#receivers.keys()];
  }

  /** From now on nodes reach only those of their own group; those in no group form one together. */
  partition(groups: readonly (readonly NodeId[])[]): void {
    this.#groups = groups;
  }

  heal(): void {
    this.#groups = [];
  }

  /** It may arrive later, twice, or never: also when the two are parted, or the receiver unplugged, on arrival. */
  send(from: NodeId, to: NodeId, datagram: Datagram): void {
    const { lossRate, duplicateRate } = this.conditions;
    if (this.#random() < lossRate) return;
    this.#carry(from, to, datagram);
    if (this.#random() < duplicateRate) this.#carry(from, to, datagram);
  }

  #carry(from: NodeId, to: NodeId, datagram: Datagram): void {
    if (this.#inFlight >= maxInFlight || !this.#joined(from, to)) return;
    this.#inFlight++;
    this.#clock.after(this.#delayMs(from, to), () => {
      this.#inFlight--;
      if (this.#joined(from, to)) this.#receivers.get(to)?.(from, datagram);
    });
  }

  #delayMs(from: NodeId, to: NodeId): number {
    const { delayMs, reorder } = this.conditions;
    const drawn = delayMs.min + this.#random() * (delayMs.max - delayMs.min);
    if (reorder) return drawn;
    const now = this.#clock.monotonic();
    const way = `${from} ${to}`;
    const at = Math.max(now + drawn, this.#latest.get(way) ?? 0);
    this.#latest.set(way, at);
    return at - now;
  }

  #joined(a: NodeId, b: NodeId): boolean {
    const groupOf = (id: NodeId): number => this.#groups.findIndex((group) => group.includes(id));
    return groupOf(a) === groupOf(b);
  }
}
