import type { FederationMember, FederationStatus } from '../gateway/needs.ts';
import type { CatalogueStatus } from '../catalogue/catalogue.ts';
import type { Member } from '../membership/membership.ts';
import type { Agent } from './agent.ts';
import { rejections } from './rates.ts';

export type FederationFacts = {
  readonly agent: Agent;
  readonly self: { readonly id: string; readonly name: string };
  readonly slots: number;
  readonly address: string;
  readonly version: string;
  readonly location: string | undefined;
  readonly strategy: string;
  readonly catalogue: CatalogueStatus;
  readonly now: number;
};

/** The federation as this node sees it. */
export const federationStatusOf = (facts: FederationFacts): FederationStatus => {
  const { agent, self, strategy, catalogue, now } = facts;
  const { records, tombstones, counter } = catalogue;
  const others = agent.neighbours.members().flatMap((member) => memberOf(agent, member, now));
  return {
    self,
    strategy,
    plan: { version: agent.planVersion },
    catalogue: { records, tombstones, counter },
    traffic: trafficOf(agent),
    ...(agent.problems.length > 0 && { problems: [...agent.problems] }),
    members: [own(facts), ...others.sort((a, b) => (a.name < b.name ? -1 : 1))],
  };
};

const own = ({ agent, self, slots, address, version, location }: FederationFacts): FederationMember => ({
  ...self,
  state: agent.draining ? 'draining' : 'alive',
  slots,
  inFlight: agent.rates.latest?.inFlight ?? 0,
  address,
  version,
  ...(location !== undefined && { location }),
  ageMs: 0,
  functions: [...agent.readyKeys()],
});

const memberOf = (agent: Agent, member: Member, now: number): readonly FederationMember[] => {
  const { id, announcement, state, rttMs, lastSeen } = member;
  if (announcement === undefined) return [];
  const { name, slots, gateway: address, version, location, draining } = announcement;
  const known = agent.neighbours.status(id);
  return [
    {
      id,
      name,
      state: state === 'gone' ? 'gone' : draining ? 'draining' : 'alive',
      slots,
      inFlight: known?.status.inFlight ?? 0,
      address,
      version,
      ...(location !== undefined && { location }),
      ...(rttMs !== undefined && { rttMs }),
      ageMs: Math.max(0, now - Math.max(lastSeen, known?.at ?? 0)),
      functions: Object.keys(known?.status.functions ?? {}),
    },
  ];
};

const trafficOf = (agent: Agent): FederationStatus['traffic'] => {
  const sum = { entered: 0, served: 0, forwardedOut: 0, forwardedIn: 0, rejected: 0 };
  for (const observed of Object.values(agent.rates.latest?.functions ?? {})) {
    sum.entered += observed.entered;
    sum.served += observed.served;
    sum.forwardedOut += total(observed.forwarded);
    sum.forwardedIn += total(observed.received);
    sum.rejected += rejections(observed);
  }
  return sum;
};

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);
