import { z } from 'zod';
import { logLevels } from '../telemetry/log.ts';

/** Where a process of a data plane tells of calls and of itself; it goes on when the agent is gone. */
export const telling = z.object({
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
