import { appendFile, rename, stat } from 'node:fs/promises';
import { messageOf } from '../domain/errors.ts';
import type { Clock } from '../std/clock.ts';
import type { CallRecord } from './call-record.ts';
import type { Log } from './log.ts';

/** How long lines gather before they are written. */
const gatherMs = 200;
/** What has not been written yet; lines beyond are lost, and how many is logged. */
const maxWaitingChars = 4 * 1024 * 1024;
const defaultMaxBytes = 32 * 1024 * 1024;

/**
 * Writes calls down, one JSON object a line, behind their backs: a call never waits for the disk. The file is for this
 * user alone; one that is longer than `maxBytes` is put aside as `FILE.1`, over the one before.
 */
export class AccessLog {
  readonly #file: string;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #log: Log;
  readonly #maxBytes: number;
  #waiting: string[] = [];
  #waitingChars = 0;
  #lost = 0;
  #writing: Promise<void> | undefined;
  #scheduled = false;
  #failing = false;

  constructor(file: string, clock: Pick<Clock, 'after'>, log: Log, maxBytes = defaultMaxBytes) {
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
    this.#maxBytes = maxBytes;
  }

  write(record: CallRecord): void {
    if (this.#waitingChars > maxWaitingChars) {
      this.#lost += 1;
      return;
    }
    const line = lineOf(record);
    this.#waiting.push(line);
    this.#waitingChars += line.length;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.after(gatherMs, () => void this.flush());
  }

  /** Resolves when all that was given until now is in the file. */
  async flush(): Promise<void> {
    this.#scheduled = false;
    while (this.#writing !== undefined || this.#waiting.length > 0) {
      this.#writing ??= this.#append().finally(() => {
        this.#writing = undefined;
      });
      await this.#writing;
    }
  }

  async #append(): Promise<void> {
    const text = this.#waiting.join('');
    const lost = this.#lost;
    this.#waiting = [];
    this.#waitingChars = 0;
    this.#lost = 0;
    if (lost > 0) this.#log.warn({ lost }, 'calls came faster than the access log could be written');
    try {
      const size = (await stat(this.#file).catch(() => undefined))?.size ?? 0;
      if (size > this.#maxBytes) await rename(this.#file, `${this.#file}.1`);
      await appendFile(this.#file, text, { mode: 0o600 });
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.error({ problem: messageOf(error) }, 'the access log cannot be written');
      this.#failing = true;
    }
  }
}

const lineOf = (record: CallRecord): string =>
  `${JSON.stringify({
    time: new Date(record.startedAt).toISOString(),
    callId: record.callId,
    function: record.functionName,
    method: record.method,
    path: record.path,
    status: record.status,
    reason: record.reason,
    from: record.from,
    fromPeer: record.fromPeer,
    servedBy: record.servedBy,
    waitMs: rounded(record.waitMs),
    runMs: rounded(record.runMs),
    durationMs: rounded(record.durationMs),
    bytesIn: record.bytesIn,
    bytesOut: record.bytesOut,
    traceparent: record.traceparentOut ?? record.traceparentIn,
  })}\n`;

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;
