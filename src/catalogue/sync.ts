import type { NodeId } from '../domain/ids.ts';
import type { Message, WireRecord } from '../membership/message.ts';
import type { Random } from '../std/random.ts';
import { batches, compareDigests, digest, recordsOf } from './digest.ts';
import { empty, merge, type CatalogueState } from './merge.ts';
import type { CatalogueRecord } from './record.ts';
import { isAway, lastMajority, noteSync, type SyncPoint, type SyncPoints } from './standing.ts';

/**
 * When to tell whom what: decides, and leaves the doing to `Catalogue`.
 *
 * Writes are broadcast once, by their writer. Whatever is lost on the way is repaired by comparing digests: with
 * each member that comes alive, and with one member every `periodMs`, the one compared least recently, so that all get their turn. Nobody
 * passes on what it was sent: each member compares for itself, and a message never multiplies.
 */
export type SyncEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: Message }
  | { readonly kind: 'broadcast'; readonly message: Message }
  | { readonly kind: 'merge'; readonly records: readonly CatalogueRecord[] }
  /** This node was away: `truth` is the catalogue of one that was not. */
  | { readonly kind: 'adopt'; readonly from: NodeId; readonly truth: CatalogueState; readonly since: SyncPoint };

export const periodMs = 30_000;

/** How often `tick` wants to be called; at most one digest is asked for each time. */
export const tickMs = 100;

/** First digests to newcomers are spread by chance over this much per member, so that a start of many is no storm. */
const spreadPerMemberMs = 40;

/** So long after a write its writer compares itself with a few members, lest a lost broadcast wait for the next period. */
const recheckMs = 500;
const recheckMembers = 5;

/** A member's requests closer together than this are left to the next period. */
const minAnswerGapMs = 200;

/** Requests answered in a second, over all members. */
const maxAnswersPerSecond = 20;

/** A resync that hears nothing for this long is begun again, with whoever answers first. */
const resyncPatienceMs = 10_000;

type Peer = {
  /** When its digest is wanted out of turn, and since when. */
  wanted: { readonly at: number; readonly since: number } | undefined;
  askedAt: number;
  comparedAt: number;
  answeredAt: number;
  /** Whether the last comparison found no difference. */
  same: boolean;
};

type Resync = { readonly from: NodeId; truth: CatalogueState; heardAt: number };

export class Sync {
  readonly #self: NodeId;
  readonly #random: Random;
  readonly #peers = new Map<NodeId, Peer>();
  #points: SyncPoints;
  #nextTurn: number | undefined;
  #answers = { second: 0, count: 0 };
  #resync: Resync | undefined;
  /** The time that was told last. */
  #toldAt = -Infinity;

  constructor(needs: { readonly self: NodeId; readonly random: Random; readonly points: SyncPoints }) {
    this.#self = needs.self;
    this.#random = needs.random;
    this.#points = needs.points;
  }

  /** To be stored, now and then: after a restart they tell whether this node was away. */
  get points(): SyncPoints {
    return this.#points;
  }

  isAway(now: number): boolean {
    return isAway(this.#points, now);
  }

  /** Alive members whose catalogue is not known to equal ours. */
  get behind(): number {
    return [...this.#peers.values()].filter((peer) => !peer.same).length;
  }

  get alive(): number {
    return this.#peers.size;
  }

  membersChanged(alive: readonly NodeId[], now: number): void {
    this.#follow(now);
    const present = new Set(alive.filter((id) => id !== this.#self));
    for (const id of this.#peers.keys()) if (!present.has(id)) this.#peers.delete(id);
    const newcomers = [...present].filter((id) => !this.#peers.has(id));
    for (const id of newcomers) {
      const at = now + this.#random() * spreadPerMemberMs * present.size;
      this.#peers.set(id, { ...stranger(), wanted: { at, since: now } });
    }
    if (this.#resync !== undefined && !present.has(this.#resync.from)) this.#resync = undefined;
  }

  /** After this node's own writes were stored. */
  wrote(records: readonly CatalogueRecord[], now: number): readonly SyncEffect[] {
    if (records.length === 0) return [];
    this.#follow(now);
    for (const peer of this.#some(recheckMembers)) peer.wanted ??= { at: now + recheckMs, since: now };
    return batches(records).map((batch) => ({ kind: 'broadcast', message: recordsMessage(batch) }));
  }

  tick(state: CatalogueState, now: number): readonly SyncEffect[] {
    this.#follow(now);
    this.#nextTurn ??= now + this.#random() * periodMs;
    const to = this.#wantedDue(now) ?? this.#turnDue(now);
    if (to === undefined) return [];
    const peer = this.#peer(to);
    peer.wanted = undefined;
    peer.askedAt = now;
    return [this.#digestTo(to, this.#resync?.from === to ? this.#resync.truth : state, true, now)];
  }

  /** After `adopt` was done. `kept` is what this node wrote while it was away: news to the others. */
  cameBack(from: NodeId, truth: CatalogueState, kept: readonly CatalogueRecord[], now: number): readonly SyncEffect[] {
    this.#points = noteSync(this.#points, from, { at: now, counter: truth.counter });
    return this.wrote(kept, now);
  }

  received(from: NodeId, message: Message, state: CatalogueState, now: number): readonly SyncEffect[] {
    this.#follow(now);
    switch (message.kind) {
      case 'records':
        return this.#records(from, message.records, now);
      case 'digest':
        return this.#digest(from, message, state, now);
      case 'announce':
      case 'status':
      case 'strategy':
        return [];
    }
  }

  /** A clock that is set back takes with it all that is to come by it: else nobody would be asked until it is where it was. */
  #follow(now: number): void {
    const backMs = this.#toldAt - now;
    this.#toldAt = now;
    if (backMs <= 0) return;
    if (this.#nextTurn !== undefined) this.#nextTurn -= backMs;
    if (this.#resync !== undefined) this.#resync.heardAt -= backMs;
    for (const peer of this.#peers.values()) {
      const { wanted } = peer;
      if (wanted !== undefined) peer.wanted = { at: wanted.at - backMs, since: wanted.since - backMs };
      peer.askedAt -= backMs;
      peer.comparedAt -= backMs;
      peer.answeredAt -= backMs;
    }
  }

  #records(from: NodeId, wire: readonly WireRecord[], now: number): readonly SyncEffect[] {
    // Only null deletes: a record without a value is a mistake of its sender.
    const records = wire.filter(({ value }) => value !== undefined).map(fromWire);
    if (this.#resync?.from === from) {
      this.#resync.truth = merge(this.#resync.truth, records).state;
      this.#resync.heardAt = now;
    }
    return records.length === 0 ? [] : [{ kind: 'merge', records }];
  }

  #digest(from: NodeId, message: DigestMessage, state: CatalogueState, now: number): readonly SyncEffect[] {
    const peer = this.#peer(from);
    if (message.ask && !this.#mayAnswer(peer, now)) return [];
    const differing = compareDigests(digest(state), message.buckets);
    if (differing === undefined) return [];
    peer.comparedAt = now;
    peer.same = differing.length === 0;
    if (peer.same) this.#points = noteSync(this.#points, from, { at: now, counter: state.counter });
    else if (this.isAway(now) && message.away !== true) return this.#comeBack(from, message, now);
    const records = batches(recordsOf(state, differing)).map((batch) => sendTo(from, recordsMessage(batch)));
    return message.ask ? [...records, this.#digestTo(from, state, false, now)] : records;
  }

  /** Gathers `from`'s whole catalogue apart from our own, until the digests say that it is complete. */
  #comeBack(from: NodeId, message: DigestMessage, now: number): readonly SyncEffect[] {
    const since = lastMajority(this.#points);
    if (since === undefined) return [];
    if (this.#resync !== undefined && now - this.#resync.heardAt > resyncPatienceMs) this.#resync = undefined;
    this.#resync ??= { from, truth: empty, heardAt: now };
    if (this.#resync.from !== from) return [];
    const { truth } = this.#resync;
    if (compareDigests(digest(truth), message.buckets)?.length === 0) {
      this.#resync = undefined;
      return [{ kind: 'adopt', from, truth, since }];
    }
    const peer = this.#peer(from);
    peer.wanted = { at: Math.max(now, peer.askedAt + minAnswerGapMs + tickMs), since: now };
    return [];
  }

  #wantedDue(now: number): NodeId | undefined {
    for (const [id, peer] of this.#peers) {
      if (peer.wanted === undefined || peer.wanted.at > now) continue;
      if (peer.comparedAt <= peer.wanted.since || this.#resync?.from === id) return id;
      peer.wanted = undefined;
    }
    return undefined;
  }

  #turnDue(now: number): NodeId | undefined {
    if (this.#nextTurn === undefined || now < this.#nextTurn) return undefined;
    this.#nextTurn = now + periodMs;
    const oldest = Math.min(...[...this.#peers.values()].map((peer) => peer.askedAt));
    const candidates = [...this.#peers].filter(([, peer]) => peer.askedAt === oldest);
    return candidates[Math.floor(this.#random() * candidates.length)]?.[0];
  }

  #mayAnswer(peer: Peer, now: number): boolean {
    const second = Math.floor(now / 1000);
    if (this.#answers.second !== second) this.#answers = { second, count: 0 };
    if (now - peer.answeredAt < minAnswerGapMs || this.#answers.count >= maxAnswersPerSecond) return false;
    this.#answers.count++;
    peer.answeredAt = now;
    return true;
  }

  #digestTo(to: NodeId, state: CatalogueState, ask: boolean, now: number): SyncEffect {
    const away = this.isAway(now) ? { away: true } : {};
    return sendTo(to, { kind: 'digest', buckets: [...digest(state)], ask, ...away });
  }

  /** One that speaks before membership told of it counts for this message only. */
  #peer(id: NodeId): Peer {
    return this.#peers.get(id) ?? stranger();
  }

  #some(count: number): readonly Peer[] {
    const rest = [...this.#peers.values()];
    return Array.from({ length: Math.min(count, rest.length) }, () =>
      rest.splice(Math.floor(this.#random() * rest.length), 1),
    ).flat();
  }
}

const stranger = (): Peer => ({
  wanted: undefined,
  askedAt: -Infinity,
  comparedAt: -Infinity,
  answeredAt: -Infinity,
  same: false,
});

type DigestMessage = Extract<Message, { kind: 'digest' }>;

const sendTo = (to: NodeId, message: Message): SyncEffect => ({ kind: 'send', to, message });

const recordsMessage = (records: readonly CatalogueRecord[]): Message => ({ kind: 'records', records: [...records] });

const fromWire = ({ key, version, value, at }: WireRecord): CatalogueRecord => ({
  key,
  version: { counter: version.counter, node: version.node as NodeId },
  value,
  at,
});
