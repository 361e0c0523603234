import type { PeerHint } from '../dataplanes/data-plane.ts';
import type { FunctionKey, NodeId } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';
import type { NodeStatus } from '../membership/message.ts';
import type { PeerPlan } from '../routing/plan.ts';
import type { PeerView } from '../strategies/strategy.ts';

/** A peer that said nothing of itself for so long is not asked any more, even while its connection stands. */
const staleMs = 5_000;

/** What a peer last said. */
export type Told = {
  readonly status: Omit<NodeStatus, 'range' | 'failing'>;
  readonly failing: ReadonlySet<string>;
  readonly at: number;
};

/** A node of which nothing is known but who it is. */
export type Lost = { readonly id: NodeId; readonly name: string };

/** What the peers said of their load, and who of them can be sent work. */
export class Neighbours {
  readonly #known = new Map<NodeId, Told>();
  #members: readonly Member[] = [];

  /** Forgets those that are members no more. */
  update(members: readonly Member[]): void {
    this.#members = members;
    const ids = new Set(members.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
  }

  /** `hint`: for the data plane. `moved`: other functions live there than before, or fail. */
  heard(
    from: NodeId,
    { range, failing = [], ...status }: NodeStatus,
    now: number,
  ): { readonly hint: PeerHint; readonly moved: boolean } {
    const before = this.#known.get(from);
    const kept = range === undefined ? {} : outside(range, before?.status.functions ?? {});
    const functions = { ...kept, ...status.functions };
    const told: Told = { status: { ...status, functions }, failing: new Set(failing), at: now };
    this.#known.set(from, told);
    return { hint: { id: from, ...status }, moved: !saysTheSame(before, told) };
  }

  members(): readonly Member[] {
    return this.#members;
  }

  status(id: NodeId): Told | undefined {
    return this.#known.get(id);
  }

  /** It said how it stands there with a function that is to live there: that it runs, or cannot be started. */
  hasTold(id: NodeId, key: FunctionKey): boolean {
    return Object.hasOwn(this.#known.get(id)?.status.functions ?? {}, key) || this.fails(id, key);
  }

  /** It said that it cannot start the function, which is to live there. */
  fails(id: NodeId, key: FunctionKey): boolean {
    return this.#known.get(id)?.failing.has(key) === true;
  }

  /** Those that are there, announced themselves and are not leaving. */
  usable(now: number): readonly Member[] {
    return this.#members.filter(({ id, state, announcement }) => {
      const known = this.#known.get(id);
      const fresh = known !== undefined && now - known.at <= staleMs;
      return state === 'alive' && announcement !== undefined && !announcement.draining && fresh;
    });
  }

  /** Those that can be asked something now. */
  reachable(): readonly PeerPlan[] {
    const alive = new Set(this.#members.filter(({ state }) => state === 'alive').map(({ id }) => id));
    return this.plans().filter(({ id }) => alive.has(id));
  }

  /** Those that fell silent and did not say that they leave: what they hold is missing where all are asked. */
  lost(): readonly Lost[] {
    const there = new Set(this.reachable().map(({ name }) => name));
    const silent = this.#members.flatMap(({ id, state, announcement }) =>
      state === 'gone' && announcement?.draining === false ? [{ id, name: announcement.name }] : [],
    );
    return silent.filter(({ name }) => !there.has(name));
  }

  /**
   * For the plan: everyone who may send work here. That includes those that leave, and those that fell silent, as long
   * as they are listed: when an agent dies its data plane goes on. Strategies name whom to send to.
   */
  plans(): readonly PeerPlan[] {
    return this.#members.flatMap(({ id, publicKey, announcement, rttMs }) => {
      if (announcement === undefined) return [];
      const { name, slots, peer } = announcement;
      const address = { kind: 'tcp' as const, host: peer.host, port: peer.port };
      // Rounded, so that a plan does not change with every measurement.
      return [{ id, name, address, publicKey, slots, rttMs: roundRtt(rttMs ?? 0) }];
    });
  }

  views(now: number): readonly PeerView[] {
    return this.usable(now).map(({ id, rttMs, announcement }) => {
      const known = this.#known.get(id);
      return {
        id,
        functions: Object.keys(known?.status.functions ?? {}) as FunctionKey[],
        slots: announcement?.slots ?? 0,
        inFlight: known?.status.inFlight ?? 0,
        rttMs: roundRtt(rttMs ?? 0),
        ageMs: known === undefined ? 0 : now - known.at,
      };
    });
  }
}

type Range = NonNullable<NodeStatus['range']>;

/** Those of which the range says nothing. */
const outside = ({ from, to }: Range, functions: NodeStatus['functions']): NodeStatus['functions'] =>
  Object.fromEntries(Object.entries(functions).filter(([key]) => key < from || (to !== undefined && key >= to)));

/** To one significant digit: 0.3, 2, 40 ms. */
const roundRtt = (ms: number): number => (ms <= 0 ? 0 : Number(ms.toPrecision(1)));

/** Of where functions live and fail. */
const saysTheSame = (one: Told | undefined, other: Told): boolean =>
  same(Object.keys(one?.status.functions ?? {}), new Set(Object.keys(other.status.functions))) &&
  same([...(one?.failing ?? [])], other.failing);

const same = (one: readonly string[], other: ReadonlySet<string>): boolean =>
  one.length === other.size && one.every((name) => other.has(name));
