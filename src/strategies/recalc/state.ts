import type { NodeId } from '../../domain/ids.ts';
import type { Routes } from '../../routing/plan.ts';
import type { View } from '../strategy.ts';
import type { Limits } from './message.ts';
import type { UserRates } from './user-rates.ts';

export type RecalcState = {
  readonly periodMs: number;
  readonly view: View;
  readonly userRates: UserRates;
  /** When `userRates` last took a sample; null before the first event. */
  readonly sampledMs: number | null;
  /** When steps were last looked for; null before the first cycle. */
  readonly lastMs: number | null;
  /** What known peers offered (LimitOut) and when; bounded by the view. */
  readonly heard: { readonly [peer: NodeId]: { readonly atMs: number; readonly limits: Limits } };
  /** What each known peer was told in step 1 (LimitIn). */
  readonly offered: Offers;
  /** What each is admitted with since step 2. */
  readonly granted: Offers;
  /** The peers' offers that the weights of step 2 are made of. */
  readonly taken: Offers;
  /** Emitted last. */
  readonly routes: Routes | null;
};

export type Offers = { readonly [peer: NodeId]: Limits };
