import { isDeepStrictEqual } from 'node:util';
import type { NodeId } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import { publicKeyOfNodeId } from './identity.ts';
import type { Member } from './membership.ts';
import type { Announcement } from './message.ts';

/** How long one that left or fell silent stays listed. */
export const keptGoneMs = 10 * 60_000;

/** Most members listed; beyond it the one gone longest makes room, and while all are alive no new one is let in. */
export const maxMembers = 1024;

type Needs = { readonly clock: Clock; readonly self: NodeId };

type Entry = {
  readonly member: Member;
  readonly heardAt: number;
  readonly goneAt: number;
  readonly rtts: readonly number[];
};

/** What a node knows of the others. Tells its listeners when someone comes, goes or announces something new. */
export class MemberTable {
  readonly #clock: Clock;
  readonly #self: NodeId;
  readonly #entries = new Map<NodeId, Entry>();
  readonly #listeners = new Set<(members: readonly Member[]) => void>();

  constructor(needs: Needs) {
    this.#clock = needs.clock;
    this.#self = needs.self;
  }

  list(): readonly Member[] {
    return [...this.#entries.values()].map((entry) => entry.member);
  }

  get(id: NodeId): Member | undefined {
    return this.#entries.get(id)?.member;
  }

  /** It lives. False when it is not let in: this node itself, no Ed25519 id, or no room. */
  heard(id: NodeId, announcement?: Announcement): boolean {
    const entry = this.#entries.get(id);
    const before = entry?.member;
    const member = before ?? this.#newcomer(id);
    if (member === undefined) return false;
    const after: Member = {
      ...member,
      state: 'alive',
      lastSeen: this.#clock.now(),
      ...(announcement !== undefined && { announcement }),
    };
    this.#entries.set(id, { member: after, heardAt: this.#clock.monotonic(), goneAt: 0, rtts: entry?.rtts ?? [] });
    const news = announcement !== undefined && !isDeepStrictEqual(announcement, before?.announcement);
    if (before?.state !== 'alive' || news) this.#tell();
    return true;
  }

  gone(id: NodeId): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.member.state === 'gone') return;
    const goneAt = this.#clock.monotonic();
    this.#entries.set(id, { ...entry, member: { ...entry.member, state: 'gone' }, goneAt });
    this.#tell();
  }

  /** Takes the least of the last five, which is what the road takes and not who was busy at its ends. */
  measured(id: NodeId, rttMs: number): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const rtts = [...entry.rtts, rttMs].slice(-5);
    this.#entries.set(id, { ...entry, rtts, member: { ...entry.member, rttMs: Math.min(...rtts) } });
  }

  /** Milliseconds since `id` was heard. */
  silentMs(id: NodeId): number {
    return this.#clock.monotonic() - (this.#entries.get(id)?.heardAt ?? Number.NEGATIVE_INFINITY);
  }

  /** Strikes off those that have been gone too long. */
  expire(): void {
    const since = this.#clock.monotonic() - keptGoneMs;
    const old = [...this.#entries].filter(([, { member, goneAt }]) => member.state === 'gone' && goneAt < since);
    for (const [id] of old) this.#entries.delete(id);
    if (old.length > 0) this.#tell();
  }

  onChange(listener: (members: readonly Member[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #newcomer(id: NodeId): Member | undefined {
    const publicKey = publicKeyOfNodeId(id);
    if (publicKey === undefined || id === this.#self || !this.#makeRoom()) return undefined;
    return { id, publicKey, state: 'gone', lastSeen: this.#clock.now() };
  }

  #makeRoom(): boolean {
    if (this.#entries.size < maxMembers) return true;
    const gone = [...this.#entries].filter(([, entry]) => entry.member.state === 'gone');
    const oldest = gone.toSorted(([, a], [, b]) => a.goneAt - b.goneAt)[0];
    return oldest !== undefined && this.#entries.delete(oldest[0]);
  }

  #tell(): void {
    const members = this.list();
    for (const listener of this.#listeners) listener(members);
  }
}
