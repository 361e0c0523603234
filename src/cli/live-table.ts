import type { FederationStatus } from '../gateway/needs.ts';
import { textTable } from '../std/text-table.ts';

type Traffic = FederationStatus['traffic'];
export type NodeView = { readonly name: string; readonly status: FederationStatus | undefined };
export type Sample = { readonly at: number; readonly nodes: readonly NodeView[] };

/** What happens at each node, from two looks at all of them. */
export const liveTable = (before: Sample | undefined, now: Sample): string =>
  textTable(
    ['NODE', 'FUNCTIONS', 'IN FLIGHT', 'SERVED HERE', 'FORWARDED OUT', 'FORWARDED IN', 'REJECTED', 'PER SECOND'],
    now.nodes.map(({ name, status }) => {
      const self = status?.members[0];
      if (status === undefined || self === undefined) return [name, '-', 'does not answer', '', '', '', '', ''];
      const { served, forwardedOut, forwardedIn, rejected } = status.traffic;
      const rate = perSecond(before, now, name);
      return [
        name,
        String(self.functions.length),
        `${self.inFlight}/${self.slots}`,
        ...[served, forwardedOut, forwardedIn, rejected].map(String),
        rate === undefined ? '-' : rate.toFixed(rate < 10 ? 1 : 0),
      ];
    }),
    ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
  );

/** Calls that a node served, a second; undefined while there is nothing to compare with. */
export const perSecond = (before: Sample | undefined, now: Sample, name: string): number | undefined => {
  const served = (sample: Sample | undefined): number | undefined => trafficOf(sample, name)?.served;
  const earlier = served(before);
  const later = served(now);
  if (before === undefined || earlier === undefined || later === undefined || now.at <= before.at) return undefined;
  // A data plane that started anew counts from zero.
  return Math.max(0, ((later - earlier) * 1000) / (now.at - before.at));
};

const trafficOf = (sample: Sample | undefined, name: string): Traffic | undefined =>
  sample?.nodes.find((node) => node.name === name)?.status?.traffic;
