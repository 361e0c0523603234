import { asyncInvoker, type AsyncInvoker } from '../async/async-invoker.ts';
import { functionStats } from '../async/function-stats.ts';
import { gatewayInvoker } from '../async/gateway-invoker.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import { keys } from '../catalogue/record.ts';
import { asFunction } from '../catalogue/values.ts';
import type { Config } from '../config/schema.ts';
import { splitFunctionKey, type FunctionKey } from '../domain/ids.ts';
import { openSqliteQueue } from '../queues/embedded/sqlite-queue.ts';
import type { Queue } from '../queues/queue.ts';
import type { Clock } from '../std/clock.ts';
import type { Database } from '../std/sqlite.ts';
import { asyncMetrics, type AsyncMetrics } from '../telemetry/async-instruments.ts';
import type { Log } from '../telemetry/log.ts';
import type { Tracing } from '../telemetry/otlp/open-tracing.ts';
import type { Undo } from './undo.ts';

export type CallNeeds = {
  readonly config: Config;
  readonly database: Database;
  readonly catalogue: Catalogue;
  /** Where the calls are made. */
  readonly gatewayUrl: string;
  readonly tracing: Tracing | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** How to take back what was opened. */
  readonly undo: (step: Undo) => void;
};

/** Asynchronous calls, with the queue that the configuration wants. They are being made from now on. */
export const openCalls = async (
  needs: CallNeeds,
): Promise<{ readonly calls: AsyncInvoker; readonly metrics: AsyncMetrics }> => {
  const { config, catalogue, gatewayUrl, tracing, clock, log, undo } = needs;
  const queue = await openQueue(needs);
  undo(() => queue.close());
  const invoker = gatewayInvoker(gatewayUrl);
  undo(() => invoker.close());
  const labels = (key: FunctionKey): Readonly<Record<string, string>> | undefined => {
    const { name, namespace } = splitFunctionKey(key);
    const record = catalogue.get(keys.function(namespace, name));
    return record && (asFunction(record).deployment.labels ?? {});
  };
  const metrics = asyncMetrics({
    stats: async () => functionStats(await queue.stats()),
    isKnown: (key) => labels(key) !== undefined,
  });
  const { invoke } = invoker;
  const calls = asyncInvoker(
    { queue, labels, spans: tracing, instruments: metrics, invoke, clock, random: Math.random, log },
    { callbacks: { refusePrivate: config.callbacks.private === 'refuse', except: config.callbacks.except } },
  );
  calls.start();
  undo((ending) => calls.stop(ending.kind === 'stopped' ? ending.drainMs : 0));
  return { calls, metrics };
};

const openQueue = async ({ config, database, clock, log }: CallNeeds): Promise<Queue> => {
  if (config.queue.kind === 'embedded') return openSqliteQueue(database, { clock, log });
  const [{ openNatsQueue }, { natsConfig }] = await Promise.all([
    import('../queues/nats/nats-queue.ts'),
    import('./nats-config.ts'),
  ]);
  return openNatsQueue(await natsConfig(config.queue), { clock });
};
