import * as fc from 'fast-check';
import { functionKey, nodeId } from '../domain/ids.ts';
import type { NodeId } from '../domain/ids.ts';
import type { FunctionView, PeerView, StrategyOptions, View } from './strategy.ts';

/** Random lives of a strategy: what it sees, when, and what peers tell it, for its conformance suite. */

export type Run = {
  readonly script: readonly Line[];
  readonly options: StrategyOptions;
  /** One more view, and one more message, for a test to end with. */
  readonly view: View;
  readonly junk: unknown;
};

/** One thing that happens to a strategy, some time after the one before. */
export type Line = { readonly afterMs: number; readonly what: Happening };

type Happening =
  | { readonly kind: 'tick' | 'woken' }
  | { readonly kind: 'viewed'; readonly view: View }
  | { readonly kind: 'junk'; readonly from: NodeId; readonly message: unknown }
  /** The message that this node sent last to `from` comes back from it, its numbers replaced unless undefined. */
  | { readonly kind: 'echo'; readonly from: NodeId; readonly spoil: unknown };

export const self = nodeId('node-1');
const peerIds = ['node-2', 'node-3', 'constructor', '__proto__'].map(nodeId);
const keys = ['figlet', 'burn', 'valueof'].map((name) => functionKey(name));
/** What a strategy starts with. */
export const emptyView: View = { self, slots: 4, inFlight: 0, functions: {}, peers: [] };

const amount = fc.double({ min: 0, max: 1e6, noNaN: true });

const arbitraryFunction: fc.Arbitrary<FunctionView> = fc.record(
  {
    here: fc.boolean(),
    maxRate: amount,
    userRate: amount,
    localRate: amount,
    peerRates: fc.dictionary(fc.constantFrom(...peerIds), amount, { noNullPrototype: true }),
    inFlight: fc.nat(100),
    serviceMs: fc.oneof(fc.constant(0), amount),
    rejectedPerSecond: amount,
    replicas: fc.nat(10),
  },
  {
    requiredKeys: [
      'here',
      'userRate',
      'localRate',
      'peerRates',
      'inFlight',
      'serviceMs',
      'rejectedPerSecond',
      'replicas',
    ],
  },
);

const arbitraryPeer = (id: NodeId): fc.Arbitrary<PeerView> =>
  fc.record({
    id: fc.constant(id),
    functions: fc.subarray(keys),
    slots: fc.nat(64),
    inFlight: fc.nat(64),
    rttMs: amount,
    ageMs: fc.oneof(fc.nat(6000), amount),
  });

const arbitraryView: fc.Arbitrary<View> = fc.record({
  self: fc.constant(self),
  slots: fc.nat(64),
  inFlight: fc.nat(64),
  functions: fc.dictionary(fc.constantFrom(...keys), arbitraryFunction, { noNullPrototype: true }),
  peers: fc.shuffledSubarray(peerIds).chain((ids) => fc.tuple(...ids.map(arbitraryPeer))),
});

/** Plain JSON, as it comes off a channel, with numbers no one should send. */
const arbitraryJunk = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(-1, 1e308, Number.MAX_VALUE, 5e-324, 'many', null, true),
  fc.record({ to: fc.constantFrom(self, 'node-9', null), limits: fc.jsonValue() }),
  fc.record({
    to: fc.constant(self),
    limits: fc.dictionary(fc.constantFrom(...keys), amount, { noNullPrototype: true }),
  }),
  fc.record({
    to: fc.constant(self),
    limits: fc.dictionary(fc.constantFrom(...keys, '__proto__', 'x'), fc.oneof(amount, fc.jsonValue()), {
      noNullPrototype: true,
    }),
  }),
);

const arbitraryLine: fc.Arbitrary<Line> = fc.record({
  /** A clock may be set back. */
  afterMs: fc.oneof(fc.nat(700), fc.constantFrom(500, 30_000, 90_000, 10_000_000, -3_600_000)),
  what: fc.oneof(
    fc.record({ kind: fc.constantFrom('tick' as const, 'woken' as const) }),
    fc.record({ kind: fc.constant('viewed' as const), view: arbitraryView }),
    fc.record({ kind: fc.constant('junk' as const), from: fc.constantFrom(...peerIds), message: arbitraryJunk }),
    fc.record({
      kind: fc.constant('echo' as const),
      from: fc.constantFrom(self, ...peerIds),
      spoil: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: arbitraryJunk }),
    }),
  ),
});

export const arbitraryRun: fc.Arbitrary<Run> = fc.record({
  script: fc.array(arbitraryLine, { maxLength: 25, size: 'max' }),
  options: fc.record({ periodMs: fc.constantFrom(1000, 1001, 60_000, 600_000) }),
  view: arbitraryView,
  junk: arbitraryJunk,
});
