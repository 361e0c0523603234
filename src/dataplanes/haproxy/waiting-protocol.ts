import { z } from 'zod';
import type { FunctionKey } from '../../domain/ids.ts';
import type { Demand } from '../data-plane.ts';
import { telling } from '../telling.ts';

/** How the waiting room's process is started; written to a file, because arguments are there for everyone to read. */
export const waitingLaunch = z.object({
  /** HAProxy brings calls here. */
  socket: z.string(),
  /** Where HAProxy is asked again. */
  again: z.string(),
  /** HAProxy's own socket for commands. */
  admin: z.string(),
  /** The agent listens here. */
  control: z.string(),
  /** HAProxy tells here of calls that have ended. */
  calls: z.string(),
  nodeName: z.string(),
  telling,
});

export type WaitingLaunch = z.infer<typeof waitingLaunch>;

/** What it tells whoever opens its control socket: one JSON object a line. Each line that it gets asks for the report of that kind; behind
 * `metrics` stand the functions that there are. */
export type WaitingReport =
  | { readonly kind: 'hello'; readonly pid: number }
  | { readonly kind: 'queued'; readonly functions: { readonly [key: FunctionKey]: number } }
  /** In the form of prom-client's `getMetricsAsJSON`. */
  | { readonly kind: 'metrics'; readonly metrics: readonly unknown[] }
  | { readonly kind: 'demand'; readonly demand: Demand };
