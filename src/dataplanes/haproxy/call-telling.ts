import { Counter, Registry } from 'prom-client';
import type { FunctionKey } from '../../domain/ids.ts';
import type { Clock } from '../../std/clock.ts';
import { AccessLog } from '../../telemetry/access-log.ts';
import { callTracer } from '../../telemetry/call-spans.ts';
import { createLogger } from '../../telemetry/logger.ts';
import type { Tracing } from '../../telemetry/otlp/open-tracing.ts';
import { lastSpansMs, openPlaneTracing } from '../plane-tracing.ts';
import { CallMeters } from './call-meters.ts';
import { RecordReceiver } from './record-receiver.ts';
import type { WaitingLaunch } from './waiting-protocol.ts';

/** What becomes of calls that have ended: lines of the access log, spans and metrics, as with every data plane. */
export class CallTelling {
  readonly #access: AccessLog | undefined;
  readonly #tracing: Tracing | undefined;
  readonly #meters: CallMeters;
  readonly #receiver: RecordReceiver;

  private constructor(access: AccessLog | undefined, tracing: Tracing | undefined, nodeName: string) {
    this.#access = access;
    this.#tracing = tracing;
    const tracer = tracing && callTracer(tracing, nodeName);
    this.#meters = new CallMeters(nodeName);
    this.#receiver = new RecordReceiver((record) => {
      this.#meters.count(record);
      access?.write(record);
      tracer?.end(record);
    });
  }

  static async open({ telling, nodeName, calls }: WaitingLaunch, clock: Clock): Promise<CallTelling> {
    const { accessLog, tracing, logLevel: level, logFormat: format } = telling;
    const log = createLogger({ level, format, fields: { node: nodeName, part: 'data plane' } });
    const access = accessLog === undefined ? undefined : new AccessLog(accessLog, clock, log);
    const opened = new CallTelling(access, await openPlaneTracing(tracing, nodeName, log), nodeName);
    await opened.#receiver.listen(calls);
    return opened;
  }

  /** Of these functions; what is known of others is forgotten. */
  async metrics(functions: readonly FunctionKey[]): Promise<readonly unknown[]> {
    const register = new Registry();
    new Counter({
      name: 'skein_call_records_lost_total',
      help: 'Calls that are missing in the access log and the traces: they came faster than they were read.',
      registers: [register],
    }).inc(this.#receiver.lost);
    const spans = (await this.#tracing?.metrics()) ?? [];
    return [...(await register.getMetricsAsJSON()), ...(await this.#meters.metrics(functions)), ...spans];
  }

  async close(): Promise<void> {
    this.#receiver.close();
    await this.#access?.flush();
    await this.#tracing?.close(lastSpansMs);
  }
}
