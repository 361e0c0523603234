/** What peers were last told of this node's slots. */
export type Announced = { readonly slots: number; readonly at: number };

/** A change by less than a tenth is not worth a message to everyone, nor is one that follows another within five seconds. */
const worthTelling = 0.1;
const leastGapMs = 5_000;

/**
 * Whether peers should be told of another size. It goes by gossip and changes everyone's plan, while the load of the moment rides
 * on answers and status messages anyway.
 */
export const isWorthTelling = ({ slots, at }: Announced, present: number, now: number): boolean =>
  now - at >= leastGapMs && Math.abs(present - slots) >= Math.max(1, worthTelling * slots);
