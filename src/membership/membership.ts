import type { NodeId } from '../domain/ids.ts';
import type { Announcement, Message } from './message.ts';

/**
 * Who is in the federation, and how they talk. Members find each other from a few addresses, prove that they hold the
 * federation's key, and are known by their Ed25519 identity from then on.
 *
 * Messages are best effort: they may be lost, repeated or overtaken; the catalogue and the strategies are made for that.
 * What a peer sends is checked against `message` before anyone sees it; what does not fit is counted and dropped.
 */
export interface Membership {
  readonly self: NodeId;
  /** Resolves when this node listens; peers come later, and are tried again for ever. `unavailable` names a port in use. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The multiaddrs (or, in memory, names) under which others can bootstrap from this node. */
  addresses(): readonly string[];
  /** Everyone known but this node; those that left or fell silent stay listed as `gone` for ten minutes. */
  members(): readonly Member[];
  /** When someone comes, goes, or announces something new; not for each `lastSeen` and `rttMs`. */
  onChange(listener: (members: readonly Member[]) => void): () => void;
  /**
   * What this node tells of itself; sent to all now, and to each newcomer. May be called before `start`. Where
   * `addresses` is empty, this node's own are filled in. `too-large` when it does not fit a message.
   */
  announce(announcement: Announcement): void;
  /** To every reachable member. Resolves when it is handed over, never rejects; a message too large is logged and not sent. */
  broadcast(message: Message): Promise<void>;
  /** To one member. `unavailable` when it is not reachable, `too-large` when it is longer than `maxMessageBytes`. */
  send(to: NodeId, message: Message): Promise<void>;
  /** `from` is proven by the channel or by the publisher's signature. Announcements show in `members()`, not here. */
  onMessage(listener: (from: NodeId, message: Message) => void): () => void;
  /**
   * Since it was made. `sent` counts a broadcast once. `rejected` counts messages dropped because they were malformed,
   * too large, of another version, or more than a peer may send.
   */
  counters(): { readonly sent: number; readonly received: number; readonly rejected: number };
}

export type Member = {
  readonly id: NodeId;
  /** The Ed25519 public key, 32 bytes in hexadecimal. */
  readonly publicKey: string;
  /** Absent until it announced itself. */
  readonly announcement?: Announcement;
  readonly state: 'alive' | 'gone';
  /** Milliseconds since the epoch (of the clock handed in) when it was last heard. */
  readonly lastSeen: number;
  /** Round trip, milliseconds; absent until measured. */
  readonly rttMs?: number;
};
