import { Counter, Registry } from 'prom-client';
import { messageOf } from '../../domain/errors.ts';
import type { Clock } from '../../std/clock.ts';
import { AccessLog } from '../../telemetry/access-log.ts';
import { callTracer } from '../../telemetry/call-spans.ts';
import { createLogger } from '../../telemetry/logger.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Tracing } from '../../telemetry/otlp/open-tracing.ts';
import { RecordReceiver } from './record-receiver.ts';
import type { Telling, WaitingLaunch } from './waiting-protocol.ts';

/** For the spans that wait when the process ends. */
const lastSpansMs = 2_000;

/** What becomes of calls that have ended: lines of the access log and spans, as with every data plane. */
export class CallTelling {
  readonly #access: AccessLog | undefined;
  readonly #tracing: Tracing | undefined;
  readonly #receiver: RecordReceiver;

  private constructor(access: AccessLog | undefined, tracing: Tracing | undefined, nodeName: string) {
    this.#access = access;
    this.#tracing = tracing;
    const tracer = tracing && callTracer(tracing, nodeName);
    this.#receiver = new RecordReceiver((record) => {
      access?.write(record);
      tracer?.end(record);
    });
  }

  static async open({ telling, nodeName, calls }: WaitingLaunch, clock: Clock): Promise<CallTelling> {
    const { accessLog, tracing, logLevel: level, logFormat: format } = telling;
    const log = createLogger({ level, format, fields: { node: nodeName, part: 'data plane' } });
    const access = accessLog === undefined ? undefined : new AccessLog(accessLog, clock, log);
    const opened = new CallTelling(access, await openTracing(tracing, nodeName, log), nodeName);
    await opened.#receiver.listen(calls);
    return opened;
  }

  async metrics(): Promise<readonly unknown[]> {
    const register = new Registry();
    new Counter({
      name: 'skein_call_records_lost_total',
      help: 'Calls that are missing in the access log and the traces: they came faster than they were read.',
      registers: [register],
    }).inc(this.#receiver.lost);
    return [...(await register.getMetricsAsJSON()), ...((await this.#tracing?.metrics()) ?? [])];
  }

  async close(): Promise<void> {
    this.#receiver.close();
    await this.#access?.flush();
    await this.#tracing?.close(lastSpansMs);
  }
}

/** Calls go on without spans where they cannot be exported; the modules are loaded where they are wanted only. */
const openTracing = async (tracing: Telling['tracing'], nodeName: string, log: Log): Promise<Tracing | undefined> => {
  if (tracing === undefined) return undefined;
  try {
    const otlp = await import('../../telemetry/otlp/open-tracing.ts');
    return await otlp.openTracing(tracing, { nodeName, log });
  } catch (error) {
    log.error({ error: messageOf(error) }, 'calls are not traced: the exporter of spans could not be made');
    return undefined;
  }
};
