import { z } from 'zod';
import type { FunctionKey } from '../../domain/ids.ts';
import { logLevels } from '../../telemetry/log.ts';
import type { Demand } from '../data-plane.ts';

/** Where calls are told of, by the process beside HAProxy: it goes on when the agent is gone. */
const telling = z.object({
  /** Where each call is written down; none is where it is missing. */
  accessLog: z.string().optional(),
  /** Where spans of calls are sent; none are made where it is missing. */
  tracing: z
    .object({
      endpoint: z.string(),
      sampleRatio: z.number(),
      /** Its text is read by the process itself, so that it is nowhere else. */
      headersFile: z.string().optional(),
    })
    .optional(),
  logLevel: z.enum(logLevels),
  logFormat: z.enum(['json', 'human']),
});

export type Telling = z.infer<typeof telling>;

/** How the waiting room's process is started; written to a file, because arguments are there for everyone to read. */
export const waitingLaunch = z.object({
  /** HAProxy brings calls here. */
  socket: z.string(),
  /** Where HAProxy is asked again. */
  again: z.string(),
  /** The agent listens here. */
  control: z.string(),
  /** HAProxy tells here of calls that have ended. */
  calls: z.string(),
  nodeName: z.string(),
  telling,
});

export type WaitingLaunch = z.infer<typeof waitingLaunch>;

/** What it tells whoever opens its control socket: one JSON object a line. Each line that it gets asks for the report of that kind. */
export type WaitingReport =
  | { readonly kind: 'hello'; readonly pid: number }
  | { readonly kind: 'queued'; readonly functions: { readonly [key: FunctionKey]: number } }
  /** In the form of prom-client's `getMetricsAsJSON`. */
  | { readonly kind: 'metrics'; readonly metrics: readonly unknown[] }
  | { readonly kind: 'demand'; readonly demand: Demand };
