import { messageOf, SkeinError } from '../../domain/errors.ts';
import type { NodeId } from '../../domain/ids.ts';
import type { Clock } from '../../std/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Identity } from '../identity.ts';
import { MemberTable } from '../member-table.ts';
import type { Member, Membership } from '../membership.ts';
import { decodeMessage, encodeMessage, type Announcement, type Message } from '../message.ts';
import type { Datagram, MemoryNetwork } from './memory-network.ts';

const helloEveryMs = 500;
/** Six hellos in a row were lost. */
const silenceMs = 3000;

type Needs = {
  readonly clock: Clock;
  readonly log: Log;
  readonly network: MemoryNetwork;
  readonly identity: Pick<Identity, 'id'>;
};

/** Membership on a network in this process: for tests and simulations. Everyone on the network finds everyone. */
export class MemoryMembership implements Membership {
  readonly self: NodeId;
  readonly #needs: Needs;
  readonly #table: MemberTable;
  readonly #listeners = new Set<(from: NodeId, message: Message) => void>();
  #announcement: Uint8Array | undefined;
  #leave: (() => void) | undefined;
  #counters = { sent: 0, received: 0, rejected: 0 };

  constructor(needs: Needs) {
    this.#needs = needs;
    this.self = needs.identity.id;
    this.#table = new MemberTable({ clock: needs.clock, self: this.self });
  }

  async start(): Promise<void> {
    const { network, clock } = this.#needs;
    if (this.#leave !== undefined) throw new SkeinError('internal', 'this membership has started already');
    const detach = network.attach(this.self, (from, datagram) => this.#receive(from, datagram));
    const cancel = clock.every(helloEveryMs, () => this.#tick());
    this.#leave = () => {
      cancel();
      detach();
    };
    this.#helloToAll();
  }

  async stop(): Promise<void> {
    if (this.#leave === undefined) return;
    this.#toAll({ kind: 'bye' });
    this.#leave();
    this.#leave = undefined;
    for (const { id } of this.#table.list()) this.#table.gone(id);
  }

  addresses(): readonly string[] {
    return [this.self];
  }

  members(): readonly Member[] {
    return this.#table.list();
  }

  onChange(listener: (members: readonly Member[]) => void): () => void {
    return this.#table.onChange((members) => this.#guarded(() => listener(members)));
  }

  announce(announcement: Announcement): void {
    const addresses = announcement.addresses.length > 0 ? announcement.addresses : this.addresses();
    this.#announcement = encode({ kind: 'announce', announcement: { ...announcement, addresses: [...addresses] } });
    if (this.#leave !== undefined) this.#helloToAll();
  }

  async broadcast(message: Message): Promise<void> {
    if (this.#leave === undefined) return;
    try {
      this.#toAll({ kind: 'message', bytes: encode(message) });
      this.#counters.sent++;
    } catch (error) {
      this.#needs.log.error({ kind: message.kind, reason: messageOf(error) }, 'a message was too large to send');
    }
  }

  async send(to: NodeId, message: Message): Promise<void> {
    const bytes = encode(message);
    if (this.#leave === undefined || this.#table.get(to)?.state !== 'alive') {
      throw new SkeinError('unavailable', `member ${to} is not reachable now: try again when it is listed as alive`);
    }
    this.#needs.network.send(this.self, to, { kind: 'message', bytes });
    this.#counters.sent++;
  }

  onMessage(listener: (from: NodeId, message: Message) => void): () => void {
    const guarded = (from: NodeId, message: Message): void => this.#guarded(() => listener(from, message));
    this.#listeners.add(guarded);
    return () => this.#listeners.delete(guarded);
  }

  counters(): { readonly sent: number; readonly received: number; readonly rejected: number } {
    return { ...this.#counters };
  }

  #tick(): void {
    this.#helloToAll();
    for (const { id } of this.#table.list()) {
      if (this.#table.silentMs(id) > silenceMs) this.#table.gone(id);
    }
    this.#table.expire();
  }

  #receive(from: NodeId, datagram: Datagram): void {
    switch (datagram.kind) {
      case 'hello':
        return this.#greeted(from, datagram);
      case 'message':
        return this.#take(from, datagram.bytes);
      case 'bye':
        return this.#table.gone(from);
    }
  }

  #greeted(from: NodeId, { sentAt, echo, announcement }: Extract<Datagram, { kind: 'hello' }>): void {
    if (announcement === undefined) this.#table.heard(from);
    else this.#take(from, announcement);
    if (echo === undefined) this.#needs.network.send(this.self, from, { ...this.#hello(), echo: sentAt });
    else this.#table.measured(from, this.#needs.clock.monotonic() - echo);
  }

  #take(from: NodeId, bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message === undefined) {
      this.#counters.rejected++;
      return;
    }
    this.#counters.received++;
    if (!this.#table.heard(from, message.kind === 'announce' ? message.announcement : undefined)) return;
    if (message.kind === 'announce') return;
    for (const listener of this.#listeners) listener(from, message);
  }

  #hello(): Extract<Datagram, { kind: 'hello' }> {
    const announcement = this.#announcement;
    return {
      kind: 'hello',
      sentAt: this.#needs.clock.monotonic(),
      ...(announcement !== undefined && { announcement }),
    };
  }

  #helloToAll(): void {
    this.#toAll(this.#hello());
  }

  #toAll(datagram: Datagram): void {
    const { network } = this.#needs;
    for (const id of network.nodes()) if (id !== this.self) network.send(this.self, id, datagram);
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#needs.log.error({ reason: messageOf(error) }, 'a listener of the membership failed');
    }
  }
}

const encode = (message: Message): Uint8Array => {
  try {
    return encodeMessage(message);
  } catch (error) {
    throw new SkeinError('too-large', messageOf(error), { cause: error });
  }
};
