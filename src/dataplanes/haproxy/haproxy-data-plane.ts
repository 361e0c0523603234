import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { Plan, TcpAddress } from '../../routing/plan.ts';
import { boundFile } from '../../std/bounded-file.ts';
import type { Clock } from '../../std/clock.ts';
import { OneAtATime } from '../../std/one-at-a-time.ts';
import type { Log } from '../../telemetry/log.ts';
import type { ChannelCredentials } from '../certificate.ts';
import type { DataPlane, Demand, Observation, PeerHint } from '../data-plane.ts';
import type { AdminSocket } from './admin-socket.ts';
import { compile } from './configuration.ts';
import { deletion, diff, isStillUsed, type Command, type Step } from './diff.ts';
import { hintCommand } from './hints.ts';
import { HaproxyProcess } from './haproxy-process.ts';
import { haproxyMetrics } from './metrics.ts';
import { addObservations, readObservation } from './observation.ts';
import { checkSettings, paths, type Settings } from './settings.ts';
import { assign, type Shape } from './shape.ts';
import { WaitingProcess } from './waiting-process.ts';
import { sayable } from './words.ts';

export type HaproxyDataPlaneNeeds = {
  /** Of the node: `plane.pid`, `plane.json`, `plan.json`, `plane.log` live here. */
  readonly folder: string;
  readonly settings: Omit<Settings, 'lua'>;
  /** The program; looked for in the path when it is a bare name. */
  readonly binary: string;
  readonly credentials: ChannelCredentials;
  readonly clock: Clock;
  readonly log: Log;
};

const boundLogMs = 10_000;
/** Of `plane.log`; one before it is kept beside it. */
const maxLogBytes = 4 * 1024 * 1024;
/** A process that fails again and again is started at most this often. */
const restartMs = 500;
/** Servers that left are deleted once nothing uses them; looked at this often. */
const sweepMs = 5_000;
/** From the order to stop to the end of the listeners. */
const lastWordsMs = 50;
/** Commands on their way at once. */
const batch = 500;
/** Beyond, what peers say of their load is not passed on: the next word is as good. */
const maxHintsPending = 200;

/** What is kept for the next agent. */
type Kept = {
  readonly settings: string;
  readonly ports: Ports;
  readonly since: number;
  /** Counters of HAProxies that were before the one that runs. */
  readonly before: Observation | undefined;
  readonly shape: Shape;
};

type Ports = { readonly gateway: number; readonly peer: number };

/**
 * HAProxy as a data plane: told at run time what changes, over its admin socket, and reloaded only when there are more
 * functions than it has backends for (`shape.ts`).
 */
export class HaproxyDataPlane implements DataPlane {
  readonly #needs: HaproxyDataPlaneNeeds;
  readonly #process: HaproxyProcess;
  readonly #listeners = new Set<(demand: Demand) => void>();
  readonly #turns = new OneAtATime();
  #room: WaitingProcess | undefined;
  #admin: AdminSocket | undefined;
  #ports: Ports | undefined;
  #shape: Shape | undefined;
  #before: Observation | undefined;
  #since: number;
  #ended = false;
  #adopted = false;
  #reloads = 0;
  #leaving: readonly string[] = [];
  #saving: Promise<void> | undefined;
  #unsaved = false;
  #timers: (() => void)[] = [];
  #restarting: Promise<void> | undefined;

  constructor(needs: HaproxyDataPlaneNeeds) {
    this.#needs = needs;
    this.#since = needs.clock.now();
    const { folder, binary, clock, settings } = needs;
    this.#process = new HaproxyProcess({
      binary,
      clock,
      pidFile: join(folder, 'plane.pid'),
      logFile: this.#logFile,
      adminSocket: paths(settings).admin,
    });
  }

  /** Whether HAProxy was there before `start`. */
  get adopted(): boolean {
    return this.#adopted;
  }

  /** How often it was reloaded since `start`. */
  get reloads(): number {
    return this.#reloads;
  }

  async start(): Promise<void> {
    checkSettings({ ...this.#needs.settings, lua: luaFolder });
    const { version } = await this.#process.features();
    this.#keepHouse();
    const kept = await this.#readKept();
    if (kept !== undefined && (await this.#adopt(kept))) {
      this.#needs.log.info({ version }, 'HAProxy adopted');
      return;
    }
    await this.#process.end();
    await this.#process.endOrphan();
    // A plan that was left by an orderly stop says that the node leaves; this is its return.
    const plan = kept && { ...kept.shape.plan, draining: false };
    await this.#begin(plan ?? this.#emptyPlan(), kept?.ports);
    this.#needs.log.info({ version, ...this.#ports }, 'HAProxy listens');
  }

  async stop(drainMs: number): Promise<void> {
    this.#ended = true;
    // One that is being started would outlive the order to stop.
    await this.#restarting;
    this.#leaveHouse();
    if (this.#admin !== undefined) await this.#drain(this.#admin, drainMs).catch(() => undefined);
    await this.#saving;
    await this.#process.end();
    await this.#process.endOrphan();
    await this.#waitingProcess().end();
    this.#admin?.close();
    this.#admin = undefined;
  }

  async release(): Promise<void> {
    this.#ended = true;
    await this.#restarting;
    this.#leaveHouse();
    await this.#saving;
    this.#room?.release();
    this.#admin?.close();
    await this.#admin?.closed;
  }

  address(): { readonly gateway: TcpAddress; readonly peer: TcpAddress } {
    if (this.#ports === undefined) throw new SkeinError('unavailable', 'the data plane was not started yet');
    const { gateway, peer } = this.#needs.settings;
    return {
      gateway: { kind: 'tcp', host: gateway.host, port: this.#ports.gateway },
      peer: { kind: 'tcp', host: peer.host, port: this.#ports.peer },
    };
  }

  apply(given: Plan): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#shape !== undefined && given.version < this.#shape.plan.version) return;
      const { plan, problems } = sayable(given);
      for (const problem of problems) this.#needs.log.error({ problem }, 'a part of the plan is left out');
      const before = this.#shape;
      const after = assign(before, plan);
      if (before !== undefined && this.#admin !== undefined) {
        await this.#carryOut(diff(before, after, this.#paths), after, this.#admin);
      }
      this.#shape = after;
      this.#save();
      if (this.#admin === undefined) {
        throw new SkeinError('unavailable', 'HAProxy does not run; it gets the plan when it does');
      }
    });
  }

  carried(): Promise<Plan | undefined> {
    return Promise.resolve(this.#adopted ? this.#shape?.plan : undefined);
  }

  hint(peers: readonly PeerHint[]): void {
    const admin = this.#admin;
    const shape = this.#shape;
    if (admin === undefined || shape === undefined || admin.pending > maxHintsPending) return;
    const commands = peers.flatMap((peer) => hintCommand(shape, peer) ?? []);
    admin.askAll(commands).catch(() => undefined);
  }

  async observe(): Promise<Observation> {
    const admin = this.#admin;
    const shape = this.#shape;
    if (admin === undefined || shape === undefined) throw new SkeinError('unavailable', 'HAProxy does not run');
    const [text, queued] = await Promise.all([admin.ask('skein observe'), this.#waitingProcess().queued()]);
    const at = this.#needs.clock.now();
    return addObservations(this.#before, readObservation({ text, queued, shape, at, since: this.#since }));
  }

  async metrics(): Promise<readonly unknown[]> {
    if (this.#admin === undefined) return [];
    return haproxyMetrics(await this.observe(), this.#reloads);
  }

  onDemand(listener: (demand: Demand) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // ---- plans

  async #carryOut(step: Step, after: Shape, admin: AdminSocket): Promise<void> {
    if (step.kind === 'structural') return this.#reload(after, step.why, admin);
    try {
      await this.#tell(step.commands, admin);
      this.#leaving = [...this.#leaving, ...step.leaving];
    } catch (error) {
      if (this.#admin !== admin) throw error;
      // Nobody knows what of it is in force: a reload with the whole makes it certain.
      await this.#reload(after, messageOf(error), admin);
    }
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

  /** A worker with the new configuration takes over the listeners. A refused configuration leaves the old in force. */
  async #reload(after: Shape, why: string, admin: AdminSocket): Promise<void> {
    this.#needs.log.warn({ why }, 'HAProxy is reloaded');
    const before = await this.observe().catch(() => this.#before);
    await this.#write(after);
    // From here on the end of the old connection is no fault.
    this.#admin = undefined;
    try {
      const next = await this.#process.reload(admin);
      this.#reloads += 1;
      this.#before = before;
      this.#leaving = [];
      this.#shape = after;
      this.#watch(next);
    } catch (error) {
      this.#watch(admin);
      throw error;
    } finally {
      if (this.#admin !== admin) admin.close();
    }
  }

  /** Configuration and maps, checked before any of it is in the place of what is in force. */
  async #write(shape: Shape): Promise<void> {
    const settings = this.#settings;
    const where = paths(settings);
    const { configuration, files } = compile(shape, settings);
    const trial = join(settings.folder, 'trial');
    await mkdir(trial, { recursive: true, mode: 0o700 });
    const moved = (text: string): string => text.replaceAll(`${settings.folder}/`, `${trial}/`);
    const put = (path: string, text: string): Promise<void> => writeFile(path, text, { mode: 0o600 });
    const { key, cert } = this.#needs.credentials;
    const all = { ...files, [where.certificate]: `${cert}\n${key}\n` };
    for (const [path, text] of Object.entries(all)) await put(moved(path), text);
    await put(
      moved(where.configuration),
      moved(configuration).replace(`setenv SKEIN_MAPS ${settings.folder}\n`, `setenv SKEIN_MAPS ${trial}\n`),
    );
    await this.#process.check(moved(where.configuration));
    for (const path of Object.keys(all)) await rename(moved(path), path);
    await put(where.configuration, configuration);
  }

  // ---- processes

  async #begin(plan: Plan, ports: Ports | undefined): Promise<void> {
    const { gateway, peer, folder } = this.#needs.settings;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    this.#ports = {
      gateway: await usablePort(gateway.host, gateway.port, ports?.gateway),
      peer: await usablePort(peer.host, peer.port, ports?.peer),
    };
    const shape = assign(undefined, sayable(plan).plan);
    await this.#write(shape);
    await this.#waitingProcess().start();
    this.#leaving = [];
    this.#shape = shape;
    this.#watch(await this.#process.start(paths(this.#needs.settings).configuration));
    this.#save();
  }

  async #adopt(kept: Kept): Promise<boolean> {
    if (this.#process.running() === undefined || kept.settings !== this.#settingsText) return false;
    try {
      const admin = await this.#process.connect();
      this.#ports = kept.ports;
      this.#shape = kept.shape;
      this.#before = kept.before;
      this.#since = kept.since;
      if (!(await this.#waitingProcess().adopt())) await this.#waitingProcess().start();
      this.#watch(admin);
      this.#adopted = true;
      const [inForce] = await admin.askAll([`show map ${this.#paths.map('node')}`]);
      const certain = inForce?.includes(`version=${kept.shape.plan.version}`) ?? false;
      if (!certain) await this.#turns.run(() => this.#reload(kept.shape, 'what is in force is not known', admin));
      return true;
    } catch (error) {
      const problem = messageOf(error);
      this.#needs.log.warn({ problem }, 'the HAProxy that runs does not answer; starting another');
      this.#admin?.close();
      this.#admin = undefined;
      this.#adopted = false;
      return false;
    }
  }

  #watch(admin: AdminSocket): void {
    this.#admin = admin;
    void admin.closed.then(() => {
      if (this.#admin !== admin) return;
      this.#admin = undefined;
      if (!this.#ended) this.#restarting = this.#restart();
    });
  }

  /** An HAProxy that ends without being asked is started again, with the plan it had. */
  async #restart(): Promise<void> {
    while (!this.#ended) {
      this.#needs.log.warn({}, 'HAProxy is gone; starting it again');
      try {
        await this.#turns.run(async () => {
          await this.#process.end();
          await this.#process.endOrphan();
          await this.#begin(this.#shape?.plan ?? this.#emptyPlan(), this.#ports);
        });
        return;
      } catch (error) {
        this.#needs.log.error({ error: messageOf(error) }, 'HAProxy does not start');
        await this.#pause(restartMs);
      }
    }
  }

  /** Nothing new comes in; what runs is finished, within `drainMs`. */
  async #drain(admin: AdminSocket, drainMs: number): Promise<void> {
    const end = this.#needs.clock.monotonic() + drainMs;
    const shape = this.#shape;
    if (shape !== undefined) await this.#tell(diffOnly(shape, this.#paths), admin);
    // Those that wait for room hear of it before nobody can be asked any more.
    await this.#pause(Math.min(drainMs, lastWordsMs));
    // An open connection of ours would count as work that is not done.
    this.#admin = undefined;
    admin.close();
    await this.#process.leave(end - this.#needs.clock.monotonic());
  }

  #waitingProcess(): WaitingProcess {
    const { folder, clock, settings, log } = this.#needs;
    const where = paths(settings);
    this.#room ??= new WaitingProcess({
      clock,
      pidFile: join(folder, 'waiting.pid'),
      launchFile: join(folder, 'waiting.json'),
      logFile: this.#logFile,
      launch: { socket: where.waiting, again: where.again, control: where.waitingControl, nodeName: settings.nodeName },
      environment: environment(),
      onDemand: (demand) => {
        for (const listener of this.#listeners) listener(demand);
      },
      onGone: () => {
        if (this.#ended) return;
        log.warn({}, 'the waiting room is gone; starting it again');
        this.#restarting = this.#restartRoom();
      },
    });
    return this.#room;
  }

  async #restartRoom(): Promise<void> {
    while (!this.#ended) {
      try {
        return await this.#waitingProcess().start();
      } catch (error) {
        this.#needs.log.error({ error: messageOf(error) }, 'the waiting room does not start');
        await this.#pause(restartMs);
      }
    }
  }

  // ---- files and timers

  #keepHouse(): void {
    if (this.#timers.length > 0) return;
    const { clock, log } = this.#needs;
    const told = (error: unknown): void =>
      log.warn({ problem: messageOf(error) }, 'the log of the data plane could not be bounded');
    this.#timers = [
      clock.every(boundLogMs, () => void boundFile(this.#logFile, maxLogBytes).catch(told)),
      clock.every(sweepMs, () => void this.#turns.run(() => this.#sweep()).catch(() => undefined)),
    ];
  }

  #leaveHouse(): void {
    for (const cancel of this.#timers.splice(0)) cancel();
  }

  async #sweep(): Promise<void> {
    const admin = this.#admin;
    if (admin === undefined || this.#leaving.length === 0) return;
    const servers = this.#leaving.slice(0, batch);
    const answers = await admin.askAll(servers.map((server) => deletion(server).text));
    // One that cannot be deleted for another reason came with the configuration: it stays in maintenance.
    const again = servers.filter((_server, index) => isStillUsed(answers[index] ?? ''));
    this.#leaving = [...this.#leaving.slice(batch), ...again];
  }

  #save(): void {
    this.#unsaved = true;
    this.#saving ??= (async () => {
      const file = join(this.#needs.folder, 'plan.json');
      while (this.#unsaved) {
        this.#unsaved = false;
        const kept = {
          settings: this.#settingsText,
          ports: this.#ports,
          since: this.#since,
          before: this.#before,
          shape: this.#shape,
        };
        await writeFile(`${file}.new`, JSON.stringify(kept), { mode: 0o600 });
        await rename(`${file}.new`, file);
      }
    })()
      .catch((error: unknown) =>
        this.#needs.log.error({ error: messageOf(error) }, 'the plan could not be kept on disk'),
      )
      .finally(() => {
        this.#saving = undefined;
      });
  }

  async #readKept(): Promise<Kept | undefined> {
    try {
      const kept = JSON.parse(await readFile(join(this.#needs.folder, 'plan.json'), 'utf8')) as Partial<Kept>;
      return kept.shape === undefined || kept.ports === undefined ? undefined : (kept as Kept);
    } catch {
      // Without it the agent begins as after a first start, which costs some seconds of sharing.
      return undefined;
    }
  }

  get #logFile(): string {
    return join(this.#needs.folder, 'plane.log');
  }

  get #settingsText(): string {
    return JSON.stringify({ ...this.#needs.settings, binary: this.#needs.binary });
  }

  get #settings(): Settings {
    const { settings } = this.#needs;
    return {
      ...settings,
      gateway: { host: settings.gateway.host, port: this.address().gateway.port },
      peer: { host: settings.peer.host, port: this.address().peer.port },
      lua: luaFolder,
    };
  }

  get #paths(): ReturnType<typeof paths> {
    return paths(this.#needs.settings);
  }

  #emptyPlan(): Plan {
    const { nodeName } = this.#needs.settings;
    return {
      version: 0,
      node: { id: '' as Plan['node']['id'], name: nodeName },
      slots: 1,
      draining: true,
      peers: [],
      functions: {},
    };
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#needs.clock.after(ms, resolve));
  }
}

const luaFolder = fileURLToPath(new URL('./lua', import.meta.url));

const diffOnly = (shape: Shape, where: ReturnType<typeof paths>): readonly Command[] => {
  const step = diff(shape, { ...shape, plan: { ...shape.plan, draining: true } }, where);
  return step.kind === 'runtime' ? step.commands : [];
};

/** One's own port, the one that was used before, or any; `unavailable` names one that is in use. */
const usablePort = async (host: string, wanted: number, before: number | undefined): Promise<number> => {
  if (wanted === 0 && before !== undefined) {
    const again = await tryPort(host, before);
    if (again !== undefined) return again;
  }
  const port = await tryPort(host, wanted);
  if (port !== undefined) return port;
  throw new SkeinError('unavailable', `port ${wanted} of ${host} is in use, or may not be used by this user`);
};

const tryPort = (host: string, port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ host: host === '*' ? '::' : host, port }, () => {
      const { port: bound } = server.address() as AddressInfo;
      server.close(() => resolve(bound));
    });
  });

/** The agent's own environment without what would change how a program starts. */
const environment = (): NodeJS.ProcessEnv => {
  const { NODE_EXTRA_CA_CERTS: _ca, NODE_OPTIONS: _options, ...rest } = process.env;
  return rest;
};
