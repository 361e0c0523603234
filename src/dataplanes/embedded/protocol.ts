import { z } from 'zod';
import type { Demand, Observation, PeerHint } from '../data-plane.ts';
import type { FunctionKey } from '../../domain/ids.ts';
import type { Plan } from '../../routing/plan.ts';
import { telling } from '../telling.ts';
import { mostThreads } from './threads/shared-memory.ts';

/**
 * What the agent and the embedded plane's process say to each other: one JSON object a line over a unix socket that
 * only this user can open. A plan travels as what changed since the last one on this connection.
 */
export type Command =
  | ({ readonly kind: 'plan'; readonly id: number } & PlanCommand)
  | { readonly kind: 'hint'; readonly peers: readonly PeerHint[] }
  | { readonly kind: 'observe' | 'metrics'; readonly id: number }
  | { readonly kind: 'stop'; readonly drainMs: number };

export type PlanCommand = {
  /** With the functions that changed only. */
  readonly plan: Plan;
  readonly removed: readonly FunctionKey[];
  /** True when `plan` is whole: everything before is forgotten. */
  readonly whole: boolean;
};

export type Report =
  /** First on every connection. */
  | { readonly kind: 'hello'; readonly pid: number; readonly gatewayPort: number; readonly peerPort: number }
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | { readonly kind: 'observation'; readonly id: number; readonly observation: Observation }
  | { readonly kind: 'metrics'; readonly id: number; readonly metrics: readonly unknown[] }
  | { readonly kind: 'demand'; readonly demand: Demand };

/** How the process is started; written to a file, because arguments are there for everyone to read. */
export const launch = telling.extend({
  /** Of Skein: an agent of another one starts its own process in place of this. */
  version: z.string(),
  gateway: z.object({ host: z.string(), port: z.number().int() }),
  peer: z.object({ host: z.string(), port: z.number().int() }),
  controlSocket: z.string(),
  /** The agent's own sockets: for clients, and for peers whose identity the channel proved. */
  systemSocket: z.string(),
  peerSystemSocket: z.string(),
  identityFile: z.string(),
  planFile: z.string(),
  nodeName: z.string(),
  /** How long a peer may take to say that it took a call, milliseconds. */
  peerAckMs: z.number(),
  maxHeaderBytes: z.number().int(),
  /** 0 = no bound. */
  maxBodyBytes: z.number(),
  /** How long a connection that became another protocol's may be silent, milliseconds. */
  upgradeIdleMs: z.number(),
  /** Addresses and networks of proxies whose words about clients are believed. */
  trustedProxies: z.array(z.string()),
  /** That carry calls. */
  threads: z.number().int().min(1).max(mostThreads),
});

export type Launch = z.infer<typeof launch>;

/** How its process ends when a port cannot be had; its last line says why. */
export const cannotListenCode = 3;
