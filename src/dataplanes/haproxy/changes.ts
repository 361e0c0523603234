import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { Observation } from '../data-plane.ts';
import type { AdminSocket } from './admin-socket.ts';
import { anchorDeletion, deletion, diff, isDeleted, isStillUsed, type Command } from './diff.ts';
import type { HaproxyState } from './haproxy-state.ts';
import type { Shape } from './shape.ts';
import { writeConfiguration } from './write-configuration.ts';

export type ChangesNeeds = {
  readonly state: HaproxyState;
  readonly observe: () => Promise<Observation>;
  /** From now on this one is the HAProxy that runs. */
  readonly watch: (admin: AdminSocket) => void;
};

/** Commands on their way at once. */
const batch = 500;

/** Brings the HAProxy that runs from one shape to another, at run time or, where only that can do it, by a reload. */
export class Changes {
  readonly #needs: ChangesNeeds;
  #leaving: readonly string[] = [];
  #uncertain = false;

  constructor(needs: ChangesNeeds) {
    this.#needs = needs;
  }

  /** HAProxy may have been told a part of what should hold, and nobody knows which. */
  get uncertain(): boolean {
    return this.#uncertain;
  }

  async carryOut(before: Shape, after: Shape, admin: AdminSocket): Promise<void> {
    const { state } = this.#needs;
    const step = diff(before, after, state.paths);
    if (step.kind === 'structural') return this.reload(after, step.why, admin);
    this.#uncertain = true;
    try {
      await this.#tell(step.commands, admin);
      this.#uncertain = false;
      this.#leaving = [...this.#leaving, ...step.leaving];
    } catch (error) {
      if (state.admin !== admin) throw error;
      // Nobody knows what of it is in force: a reload with the whole makes it certain.
      await this.reload(after, messageOf(error), admin);
    }
  }

  /** Says that the node leaves. */
  async drain(shape: Shape, admin: AdminSocket): Promise<void> {
    const step = diff(shape, { ...shape, plan: { ...shape.plan, draining: true } }, this.#needs.state.paths);
    if (step.kind === 'runtime') await this.#tell(step.commands, admin);
  }

  /** A worker with the new configuration takes over the listeners. A refused configuration leaves the old in force. */
  async reload(after: Shape, why: string, admin: AdminSocket): Promise<void> {
    const { state, observe, watch } = this.#needs;
    const { log, credentials } = state.needs;
    log.warn({ why }, 'HAProxy is reloaded');
    const before = await observe().catch(() => state.before);
    await writeConfiguration(after, state.settings, credentials, state.process);
    // From here on the end of the old connection is no fault.
    state.admin = undefined;
    try {
      const next = await state.process.reload(admin);
      state.reloads += 1;
      state.before = before;
      this.begun();
      state.shape = after;
      watch(next);
    } catch (error) {
      watch(admin);
      throw error;
    } finally {
      if (state.admin !== admin) admin.close();
    }
  }

  /** Servers that left are deleted once nothing uses them. */
  async sweep(): Promise<void> {
    const { admin, paths } = this.#needs.state;
    if (admin === undefined || this.#leaving.length === 0) return;
    const servers = this.#leaving.slice(0, batch);
    const answers = await admin.askAll(servers.map(deletion));
    // One that cannot be deleted for another reason came with the configuration: it stays in maintenance.
    const again = servers.filter((_server, index) => isStillUsed(answers[index] ?? ''));
    this.#leaving = [...this.#leaving.slice(batch), ...again];
    const deleted = servers.filter((_server, index) => isDeleted(answers[index] ?? ''));
    await admin.askAll(deleted.flatMap((server) => anchorDeletion(server, paths)));
  }

  /** Another HAProxy began, with the present servers and maps only. */
  begun(): void {
    this.#leaving = [];
    this.#uncertain = false;
  }

  async #tell(commands: readonly Command[], admin: AdminSocket): Promise<void> {
    for (let from = 0; from < commands.length; from += batch) {
      const part = commands.slice(from, from + batch);
      const answers = await admin.askAll(part.map(({ text }) => text));
      part.forEach(({ text, answer }, index) => {
        const got = answers[index] ?? '';
        if (answer.test(got)) return;
        const asked = text.split('\n')[0] ?? '';
        throw new SkeinError('internal', `HAProxy answered ${JSON.stringify(got)} to ${JSON.stringify(asked)}`);
      });
    }
  }
}
