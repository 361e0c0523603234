import type { NodeId } from '../../domain/ids.ts';
import { messageOf } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import type { Random } from '../../std/random.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Introduction } from './introductions.ts';

/** Connections a node opens by itself: below it the federation is a full mesh, above it gossip bridges the rest. */
export const maxConnectionsSought = 64;
const maxParallel = 4;
/** Places heard of; beyond it news of further ones is ignored until some are given up. */
const maxPlaces = 512;
const pollMs = 200;
const firstRetryMs = 200;
const longestRetryMs = 5000;
const giveUpMs = 10 * 60_000;
/** Two that hear of each other do not dial at once, so that there is one connection, not two. */
const courtesyMs = 600;

type Needs = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly self: NodeId;
  /** Tries the addresses of one peer; says who answered. Rejects within a bounded time. */
  readonly dial: (addresses: readonly string[]) => Promise<NodeId>;
  readonly isConnected: (id: NodeId) => boolean;
  readonly connections: () => number;
};

type Place = {
  readonly key: string;
  addresses: readonly string[];
  /** Who was met there, or should be. */
  id: NodeId | undefined;
  /** Places an operator named are tried for ever. */
  readonly named: boolean;
  nextAt: number;
  failures: number;
  lastGoodAt: number;
  dialing: boolean;
};

/** Keeps this node connected: dials whom it was told of until they answer, with back-off, jitter and a bounded crowd. */
export class Dialer {
  readonly #needs: Needs;
  readonly #places = new Map<string, Place>();
  #dialing = 0;
  #stop: () => void = () => {};

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  start(bootstrap: readonly string[]): void {
    for (const address of bootstrap) this.#add(address, [address], undefined, 0);
    this.#stop = this.#needs.clock.every(pollMs, () => this.#poll());
    this.#poll();
  }

  stop(): void {
    this.#stop();
    this.#places.clear();
  }

  /** A peer was heard of. */
  learn({ id, addresses }: Introduction): void {
    if (id === this.#needs.self || addresses.length === 0) return;
    const known = this.#places.get(id);
    if (known !== undefined) known.addresses = addresses;
    else if (this.#places.size < maxPlaces) this.#add(id, addresses, id, this.#needs.self < id ? 0 : courtesyMs);
    this.#poll();
  }

  /** The last connection to a peer closed: it is soon tried again. */
  lost(id: NodeId): void {
    const now = this.#needs.clock.monotonic();
    for (const place of this.#places.values()) {
      if (place.id !== id) continue;
      place.failures = 0;
      place.lastGoodAt = now;
      place.nextAt = now + this.#jitter(firstRetryMs);
    }
  }

  #add(key: string, addresses: readonly string[], id: NodeId | undefined, delayMs: number): void {
    const now = this.#needs.clock.monotonic();
    const named = id === undefined;
    const nextAt = now + this.#jitter(delayMs);
    this.#places.set(key, { key, addresses, id, named, nextAt, failures: 0, lastGoodAt: now, dialing: false });
  }

  #poll(): void {
    const now = this.#needs.clock.monotonic();
    for (const place of this.#places.values()) {
      if (this.#dialing >= maxParallel || this.#needs.connections() + this.#dialing >= maxConnectionsSought) return;
      if (place.dialing || place.nextAt > now) continue;
      if (place.id !== undefined && this.#needs.isConnected(place.id)) place.lastGoodAt = now;
      else if (!place.named && now - place.lastGoodAt > giveUpMs) this.#places.delete(place.key);
      else void this.#try(place);
    }
  }

  async #try(place: Place): Promise<void> {
    place.dialing = true;
    this.#dialing++;
    try {
      place.id = await this.#needs.dial(place.addresses);
      place.failures = 0;
      place.nextAt = this.#needs.clock.monotonic() + this.#jitter(firstRetryMs);
    } catch (error) {
      const waitMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(place.failures, 10));
      if (place.failures === 0) {
        this.#needs.log.debug({ address: place.addresses[0], reason: messageOf(error) }, 'a peer does not answer yet');
      }
      place.failures++;
      place.nextAt = this.#needs.clock.monotonic() + this.#jitter(waitMs);
    } finally {
      place.dialing = false;
      this.#dialing--;
    }
  }

  /** Between half and one and a half of it. */
  #jitter(ms: number): number {
    return ms * (0.5 + this.#needs.random());
  }
}
