import { messageOf } from '../domain/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Tracing } from '../telemetry/otlp/open-tracing.ts';
import type { Telling } from './telling.ts';

/** For the spans that wait when the process ends, milliseconds. */
export const lastSpansMs = 2_000;

/** Calls go on without spans where they cannot be exported; the modules are loaded where they are wanted only. */
export const openPlaneTracing = async (
  tracing: Telling['tracing'],
  nodeName: string,
  log: Log,
): Promise<Tracing | undefined> => {
  if (tracing === undefined) return undefined;
  try {
    const otlp = await import('../telemetry/otlp/open-tracing.ts');
    return await otlp.openTracing(tracing, { nodeName, log });
  } catch (error) {
    log.error({ error: messageOf(error) }, 'calls are not traced: the exporter of spans could not be made');
    return undefined;
  }
};
