import type { Manifest } from '../../bundles/manifest.ts';
import type { Address } from '../../routing/plan.ts';
import type { Clock } from '../../std/clock.ts';
import type { FunctionSpec } from '../provider.ts';
import type { Folders } from './folders.ts';
import type { Ledger } from './ledger.ts';
import type { RunningProcess } from './running-process.ts';
import type { Runtime } from './runtime.ts';
import type { SecretMounts } from './secret-mounts.ts';
import type { WorkerPool } from './worker-pool.ts';

/** A replica that is ready, or was. */
export type Replica = {
  readonly id: string;
  readonly mode: Manifest['mode'];
  readonly spec: FunctionSpec;
  readonly address: Address;
  /** What GET of answers 200..299 while it is well; without it nobody asks. */
  readonly readyPath?: string;
  readonly process: RunningProcess;
  /** By the clock that never runs backwards. */
  readonly readyAtMs: number;
};

/** The values of secrets, in the order of `names`. Throws when one is not there. */
export type SecretReader = (namespace: string, names: readonly string[]) => ReadonlyMap<string, Uint8Array>;

export type LaunchNeeds = {
  readonly clock: Clock;
  readonly folders: Folders;
  readonly ledger: Ledger;
  readonly pool: WorkerPool;
  readonly runtime: () => Promise<Runtime>;
  /** Undefined where there are no mount namespaces. */
  readonly mounts: () => Promise<SecretMounts | undefined>;
  readonly gatewayUrl: string;
  readonly secrets: SecretReader;
  readonly readyTimeoutMs: number;
};

/** What a mode does between its process being there and it being ready; each is recorded before it can serve. */
export type Launched = {
  readonly id: string;
  readonly address: Address;
  readonly readyPath?: string;
  readonly process: RunningProcess;
  /** Resolves when it serves; rejects when it never will. */
  readonly ready: () => Promise<void>;
};
