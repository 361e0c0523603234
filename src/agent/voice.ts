import { messageOf, SkeinError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import type { Membership } from '../membership/membership.ts';
import type { Announcement, Message } from '../membership/message.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Slots } from './slots.ts';

export type VoiceNeeds = {
  readonly membership: Pick<Membership, 'announce' | 'broadcast' | 'send'>;
  readonly announcement: Omit<Announcement, 'slots' | 'draining'>;
  readonly slots: Pick<Slots, 'steady' | 'announced'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
};

/** How this node speaks to the others. What does not arrive is said again by those whose matter it is, or is out of date. */
export class Voice {
  readonly #needs: VoiceNeeds;

  constructor(needs: VoiceNeeds) {
    this.#needs = needs;
  }

  /** What this node is, and how many calls it takes at once. */
  announce(draining: boolean): void {
    const { membership, announcement, slots, clock } = this.#needs;
    membership.announce({ ...announcement, slots: slots.steady, draining });
    slots.announced(clock.monotonic());
  }

  tell(to: NodeId | 'all', message: Message): void {
    const { membership, log } = this.#needs;
    const sent = to === 'all' ? membership.broadcast(message) : membership.send(to, message);
    sent.catch((error: unknown) => {
      const level = error instanceof SkeinError && error.code === 'too-large' ? 'warn' : 'debug';
      log[level]({ to, kind: message.kind, problem: messageOf(error) }, 'a message could not be sent');
    });
  }
}
