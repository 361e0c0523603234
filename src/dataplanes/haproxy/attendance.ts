import type { Clock } from '../../std/clock.ts';
import { AdminSocket } from './admin-socket.ts';

const answerMs = 1_000;
const againMs = 1_000;

/**
 * Tells HAProxy whether there is an agent: while there is none, calls that need a start go to peers. One that begins
 * takes it that there is one, because only agents start it.
 */
export class Attendance {
  readonly #admin: string;
  readonly #clock: Clock;
  #wanted = true;
  #told: boolean | undefined;
  #telling: Promise<void> | undefined;

  constructor(admin: string, clock: Clock) {
    this.#admin = admin;
    this.#clock = clock;
  }

  /** Resolves when HAProxy was told, or cannot be; then it is told when it can. */
  say(attended: boolean): Promise<void> {
    this.#wanted = attended;
    this.#telling ??= this.#tell().finally(() => {
      this.#telling = undefined;
      if (this.#told !== this.#wanted) this.#clock.after(againMs, () => void this.say(this.#wanted));
    });
    return this.#telling;
  }

  async #tell(): Promise<void> {
    try {
      const admin = await AdminSocket.open(this.#admin, answerMs);
      try {
        while (this.#told !== this.#wanted) {
          const wanted = this.#wanted;
          await admin.ask(`skein attend ${wanted ? 'yes' : 'no'}`);
          this.#told = wanted;
        }
      } finally {
        admin.close();
      }
    } catch {
      // None runs, or it has no time.
    }
  }
}
