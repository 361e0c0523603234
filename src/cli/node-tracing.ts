import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { Launch } from '../dataplanes/embedded/protocol.ts';
import type { Log } from '../telemetry/log.ts';
import type { Tracing } from '../telemetry/otlp/open-tracing.ts';

/** What the configuration says of what is told of calls, and how: access log, spans, logs. */
export const tellingOf = (config: Config, folder: string) =>
  ({
    accessLog: config.log.access === 'on' ? join(folder, 'access.log') : undefined,
    tracing: tracingOf(config),
    logLevel: config.log.level,
    logFormat: config.log.format === 'pretty' ? 'human' : 'json',
  }) as const;

const tracingOf = ({ tracing: { endpoint, sampleRatio, headersFile } }: Config): Launch['tracing'] =>
  endpoint === undefined ? undefined : { endpoint, sampleRatio, headersFile };

/** The agent's own spans. Its modules are loaded where spans are wanted only. */
export const openTracing = async (config: Config, log: Log): Promise<Tracing | undefined> => {
  const settings = tracingOf(config);
  if (settings === undefined) return undefined;
  const otlp = await import('../telemetry/otlp/open-tracing.ts');
  return otlp.openTracing(settings, { nodeName: config.node.name, log });
};
