import { mkdir } from 'node:fs/promises';
import { messageOf } from '../../domain/errors.ts';
import type { Plan } from '../../routing/plan.ts';
import { boundFile } from '../../std/bounded-file.ts';
import { portPurposes } from '../port-purposes.ts';
import type { AdminSocket } from './admin-socket.ts';
import type { Changes } from './changes.ts';
import { PortTaken } from './haproxy-process.ts';
import type { HaproxyState } from './haproxy-state.ts';
import type { KeptWaitingRoom } from './kept-waiting-room.ts';
import type { Kept, Ports } from './plan-file.ts';
import { assign } from './shape.ts';
import { checkSettings } from './settings.ts';
import { usablePort } from './usable-port.ts';
import { sayable } from './words.ts';
import { writeConfiguration } from './write-configuration.ts';

const boundLogMs = 10_000;
/** Of `plane.log`; one before it is kept beside it. */
const maxLogBytes = 4 * 1024 * 1024;
/** A process that fails again and again is started at most this often. */
const restartMs = 500;
/** Servers that left are deleted once nothing uses them; looked at this often. */
const sweepMs = 5_000;
/** How often ports are looked for that nobody has. */
const mostTries = 3;
/** From the order to stop to the end of the listeners. */
const lastWordsMs = 50;

export type SupervisorNeeds = {
  readonly state: HaproxyState;
  readonly changes: Changes;
  readonly room: KeptWaitingRoom;
};

/** Keeps HAProxy and the waiting room there: started or adopted, started again when they end, ended in order. */
export class Supervisor {
  readonly #needs: SupervisorNeeds;
  /** Whether HAProxy was there before `start`. */
  adopted = false;
  #timers: (() => void)[] = [];
  #restarting: Promise<void> | undefined;

  constructor(needs: SupervisorNeeds) {
    this.#needs = needs;
  }

  async start(): Promise<void> {
    const { state } = this.#needs;
    const { log } = state.needs;
    checkSettings(state.wantedSettings);
    state.features = await state.process.features();
    const { version } = state.features;
    this.#keepHouse();
    const kept = await state.planFile.read();
    if (kept !== undefined && (await this.#adopt(kept))) {
      log.info({ version }, 'HAProxy adopted');
      return;
    }
    await this.#endOthers();
    // A plan that was left by an orderly stop says that the node leaves; this is its return.
    const plan = kept && { ...kept.shape.plan, draining: false };
    await this.#begin(plan ?? state.emptyPlan(), kept?.ports);
    log.info({ version, ...state.ports }, 'HAProxy listens');
  }

  async stop(drainMs: number): Promise<void> {
    const { state, room } = this.#needs;
    await this.#leave();
    if (state.admin !== undefined) await this.#drain(state.admin, drainMs).catch(() => undefined);
    await state.planFile.saved();
    await this.#endOthers();
    await room.end();
    state.admin?.close();
    state.admin = undefined;
  }

  async release(): Promise<void> {
    const { state, room } = this.#needs;
    await this.#leave();
    await state.planFile.saved();
    room.release();
    state.admin?.close();
    await state.admin?.closed;
  }

  /** From now on this one is the HAProxy that runs; when it ends or falls silent without being asked it is started again. */
  watch(admin: AdminSocket): void {
    const { state } = this.#needs;
    state.admin = admin;
    void admin.closed.then(() => {
      if (state.admin !== admin) return;
      state.admin = undefined;
      if (!state.ended) this.#restarting = this.#recover();
    });
  }

  async #begin(plan: Plan, ports: Ports | undefined): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#beginOnce(plan, ports);
      } catch (error) {
        // Somebody took a port that was free a moment ago: looking again tells which, or finds another.
        if (!(error instanceof PortTaken) || tries === mostTries) throw error;
      }
    }
  }

  async #beginOnce(plan: Plan, ports: Ports | undefined): Promise<void> {
    const { state, changes, room } = this.#needs;
    const { gateway, peer, folder } = state.needs.settings;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    state.ports = {
      gateway: await usablePort({ ...gateway, ...portPurposes.gateway }, ports?.gateway),
      peer: await usablePort({ ...peer, ...portPurposes.peer }, ports?.peer),
    };
    const shape = assign(undefined, sayable(plan).plan);
    await writeConfiguration(shape, state.settings, state.needs.credentials, state.process);
    await room.start();
    changes.begun();
    state.shape = shape;
    const admin = await state.process.start(state.paths.configuration).catch(async (error: unknown) => {
      await room.end();
      throw error;
    });
    this.watch(admin);
    state.save();
  }

  async #adopt(kept: Kept): Promise<boolean> {
    const { state, changes, room } = this.#needs;
    if (state.process.running() === undefined || kept.settings !== state.settingsText) return false;
    try {
      const admin = await state.process.connect();
      state.ports = kept.ports;
      state.shape = kept.shape;
      state.before = kept.before;
      state.since = kept.since;
      await room.adoptOrStart();
      this.watch(admin);
      this.adopted = true;
      const [inForce] = await admin.askAll([`show map ${state.paths.map('node')}`]);
      const certain = inForce?.includes(`version=${kept.shape.plan.version}`) ?? false;
      if (!certain) await state.turns.run(() => changes.reload(kept.shape, 'what is in force is not known', admin));
      return true;
    } catch (error) {
      const problem = messageOf(error);
      state.needs.log.warn({ problem }, 'the HAProxy that runs does not answer; starting another');
      state.admin?.close();
      state.admin = undefined;
      this.adopted = false;
      return false;
    }
  }

  async #recover(): Promise<void> {
    const { log } = this.#needs.state.needs;
    const isThere = await this.#reconnect().catch((error: unknown) => {
      log.warn({ problem: messageOf(error) }, 'the HAProxy that runs cannot be told what should hold');
      return false;
    });
    if (!isThere) await this.#restart();
  }

  /** Only the connection to HAProxy may have ended, and calls go on; false where none answers. */
  #reconnect(): Promise<boolean> {
    const { state, changes } = this.#needs;
    return state.turns.run(async () => {
      if (state.shape === undefined || state.process.running() === undefined) return false;
      const admin = await state.process.connect().catch(() => undefined);
      if (admin === undefined) return false;
      state.needs.log.warn({}, 'the connection to HAProxy broke off; there is another');
      this.watch(admin);
      if (changes.uncertain) await changes.reload(state.shape, 'what is in force is not known', admin);
      return true;
    });
  }

  /** An HAProxy that ends without being asked is started again, with the plan it had. */
  async #restart(): Promise<void> {
    const { state } = this.#needs;
    const { log } = state.needs;
    while (!state.ended) {
      log.warn({}, 'HAProxy is gone; starting it again');
      try {
        await state.turns.run(async () => {
          await this.#endOthers();
          await this.#begin(state.shape?.plan ?? state.emptyPlan(), state.ports);
        });
        return;
      } catch (error) {
        log.error({ error: messageOf(error) }, 'HAProxy does not start');
        await state.pause(restartMs);
      }
    }
  }

  async #endOthers(): Promise<void> {
    const { process } = this.#needs.state;
    await process.end();
    await process.endOrphan();
  }

  /** What is being started would outlive the order to stop. */
  async #leave(): Promise<void> {
    const { state, room } = this.#needs;
    state.ended = true;
    for (const cancel of this.#timers.splice(0)) cancel();
    await this.#restarting;
    await room.settled();
  }

  /** Nothing new comes in; what runs is finished, within `drainMs`. */
  async #drain(admin: AdminSocket, drainMs: number): Promise<void> {
    const { state, changes } = this.#needs;
    const { clock } = state.needs;
    const end = clock.monotonic() + drainMs;
    if (state.shape !== undefined) await changes.drain(state.shape, admin);
    // Those that wait for room hear of it before nobody can be asked any more.
    await state.pause(Math.min(drainMs, lastWordsMs));
    // An open connection of ours would count as work that is not done.
    state.admin = undefined;
    admin.close();
    await state.process.leave(end - clock.monotonic());
  }

  #keepHouse(): void {
    if (this.#timers.length > 0) return;
    const { state, changes } = this.#needs;
    const { clock, log } = state.needs;
    const told = (error: unknown): void =>
      log.warn({ problem: messageOf(error) }, 'the log of the data plane could not be bounded');
    this.#timers = [
      clock.every(boundLogMs, () => void boundFile(state.logFile, maxLogBytes).catch(told)),
      clock.every(sweepMs, () => void state.turns.run(() => changes.sweep()).catch(() => undefined)),
    ];
  }
}
