import type { Clock } from '../../std/clock.ts';
import { AdminSocket } from './admin-socket.ts';
import { overdue, readSessions, readStage, readTimeouts, type Session } from './sessions.ts';

const lookMs = 5_000;
/** For each session that is listed: a thousand take 8 ms of HAProxy, and half as much again of this process. */
const moreMs = 1;
const helloMs = 5_000;
/** At one look; and backends in one command. */
const maxEnded = 500;
const maxNamed = 500;

/**
 * Ends answers that go on when the time of their call is over. HAProxy bounds the time to the first byte and between bytes,
 * and has no word for the whole.
 */
export class SessionWatch {
  readonly #admin: string;
  readonly #clock: Clock;
  /** Those that became another protocol last as long as they like; by when they began, because names are given again. */
  #spared: ReadonlyMap<string, number> = new Map();

  constructor(admin: string, clock: Clock) {
    this.#admin = admin;
    this.#clock = clock;
  }

  start(): void {
    this.#clock.after(lookMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const admin = await AdminSocket.open(this.#admin, helloMs).catch(() => undefined);
    // While there is none, or it ends meanwhile, there is nothing to end.
    const listed = admin === undefined ? 0 : await this.#endOverdue(admin).catch(() => 0);
    admin?.close();
    this.#clock.after(lookMs + moreMs * listed, () => void this.#look());
  }

  /** Answers how many sessions there were. */
  async #endOverdue(admin: AdminSocket): Promise<number> {
    const sessions = readSessions(await admin.ask('show sess'));
    const beganAt = ({ ageMs }: Session): number => this.#clock.monotonic() - ageMs;
    const spared = new Map<string, number>();
    for (const session of sessions) {
      const before = this.#spared.get(session.id);
      if (before !== undefined && Math.abs(before - beganAt(session)) < lookMs) spared.set(session.id, before);
    }
    this.#spared = spared;
    const late = overdue(sessions, await timeoutsOf(sessions, admin)).filter(({ id }) => !spared.has(id));
    for (const session of late.slice(0, maxEnded)) {
      const stage = readStage(await admin.ask(`show sess ${session.id}`));
      if (stage === 'answering') await admin.ask(`shutdown session ${session.id}`);
      if (stage === 'switched') spared.set(session.id, beganAt(session));
    }
    return sessions.length;
  }
}

const timeoutsOf = async (sessions: readonly Session[], admin: AdminSocket): Promise<ReadonlyMap<string, number>> => {
  const backends = [...new Set(sessions.filter(({ ageMs }) => ageMs > 0).map(({ backend }) => backend))];
  const commands: string[] = [];
  for (let from = 0; from < backends.length; from += maxNamed) {
    commands.push(`skein timeouts ${backends.slice(from, from + maxNamed).join(',')}`);
  }
  return readTimeouts((await admin.askAll(commands)).join('\n'));
};
