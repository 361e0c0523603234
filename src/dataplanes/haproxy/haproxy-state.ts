import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SkeinError } from '../../domain/errors.ts';
import type { Plan, TcpAddress } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import { OneAtATime } from '../../std/one-at-a-time.ts';
import type { Log } from '../../telemetry/log.ts';
import type { ChannelCredentials } from '../certificate.ts';
import type { Observation } from '../data-plane.ts';
import type { AdminSocket } from './admin-socket.ts';
import { plainFeatures, type Features } from './features.ts';
import { HaproxyProcess } from './haproxy-process.ts';
import { PlanFile, type Ports } from './plan-file.ts';
import { paths, type Settings } from './settings.ts';
import type { Shape } from './shape.ts';
import type { Telling } from '../telling.ts';

export type HaproxyDataPlaneNeeds = {
  /** Of the node: `plane.pid`, `plane.json`, `plan.json`, `plane.log` live here. */
  readonly folder: string;
  readonly settings: Omit<Settings, 'lua' | 'features' | 'records' | 'traceRatio'>;
  /** Who wants to know of calls; none of it costs anything where nobody does. */
  readonly telling: Telling;
  /** Of Skein: rules, Lua and waiting room of another one are replaced, not adopted. */
  readonly version: string;
  /** The program; looked for in the path when it is a bare name. */
  readonly binary: string;
  readonly credentials: ChannelCredentials;
  readonly clock: Clock;
  readonly log: Log;
};

const luaFolder = fileURLToPath(new URL('./lua', import.meta.url));

/** What the parts of `HaproxyDataPlane` share: who runs, what is in force, and where things are. */
export class HaproxyState {
  readonly needs: HaproxyDataPlaneNeeds;
  readonly process: HaproxyProcess;
  readonly planFile: PlanFile;
  /** Plans, reloads and restarts: one after another. */
  readonly turns = new OneAtATime();
  /** Of the program as it was found at `start`. */
  features: Features = plainFeatures;
  /** To the HAProxy that runs; undefined while none does. */
  admin: AdminSocket | undefined;
  ports: Ports | undefined;
  shape: Shape | undefined;
  /** Counters of HAProxies that were before the one that runs. */
  before: Observation | undefined;
  since: number;
  reloads = 0;
  /** It was told to stop, or to leave everything as it is. */
  ended = false;

  constructor(needs: HaproxyDataPlaneNeeds) {
    this.needs = needs;
    this.since = needs.clock.now();
    const { folder, binary, clock, log } = needs;
    this.process = new HaproxyProcess({
      binary,
      clock,
      pidFile: join(folder, 'plane.pid'),
      logFile: this.logFile,
      adminSocket: this.paths.admin,
    });
    this.planFile = new PlanFile(join(folder, 'plan.json'), clock, log);
  }

  /** `unavailable` before ports are bound. */
  address(): { readonly gateway: TcpAddress; readonly peer: TcpAddress } {
    if (this.ports === undefined) throw new SkeinError('unavailable', 'the data plane was not started yet');
    const { gateway, peer } = this.needs.settings;
    return {
      gateway: { kind: 'tcp', host: gateway.host, port: this.ports.gateway },
      peer: { kind: 'tcp', host: peer.host, port: this.ports.peer },
    };
  }

  /** With the ports as bound. */
  get settings(): Settings {
    const { gateway, peer } = this.address();
    return {
      ...this.wantedSettings,
      gateway: { host: gateway.host, port: gateway.port },
      peer: { host: peer.host, port: peer.port },
    };
  }

  /** With the ports as wanted. */
  get wantedSettings(): Settings {
    const { settings, telling } = this.needs;
    const { accessLog, tracing } = telling;
    return {
      ...settings,
      lua: luaFolder,
      features: this.features,
      records: accessLog !== undefined || tracing !== undefined,
      traceRatio: tracing?.sampleRatio,
    };
  }

  /** What an HAProxy that runs must have been started with, to be adopted. */
  get settingsText(): string {
    const { settings, telling, binary, version } = this.needs;
    return JSON.stringify({ ...settings, telling, binary, version });
  }

  get paths(): ReturnType<typeof paths> {
    return paths(this.needs.settings);
  }

  get logFile(): string {
    return join(this.needs.folder, 'plane.log');
  }

  /** What is known is kept on disk for the next agent, soon. */
  save(): void {
    this.planFile.save(() => ({
      settings: this.settingsText,
      ports: this.ports,
      since: this.since,
      before: this.before,
      shape: this.shape,
    }));
  }

  /** The node has no plan yet: it takes no calls. */
  emptyPlan(): Plan {
    const { nodeName } = this.needs.settings;
    return {
      version: 0,
      node: { id: '' as Plan['node']['id'], name: nodeName },
      slots: 1,
      draining: true,
      peers: [],
      functions: {},
    };
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.needs.clock.after(ms, resolve));
  }
}
