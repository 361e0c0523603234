import { join } from 'node:path';
import { SkeinError } from '../../domain/errors.ts';
import type { MapName } from './entries.ts';
import type { Features } from './features.ts';
import type { PeerFiles } from './servers.ts';
import { isHost, isName, isNetwork, isPath } from './words.ts';

/** What the configuration is made from beside the plan. */
export type Settings = {
  /** Sockets, maps and the configuration are here; short, because paths of sockets are. */
  readonly folder: string;
  readonly gateway: { readonly host: string; readonly port: number };
  readonly peer: { readonly host: string; readonly port: number };
  /** The agent's own sockets: for clients, and for peers whose identity the channel proved. */
  readonly systemSocket: string;
  readonly peerSystemSocket: string;
  readonly nodeName: string;
  /** How long connecting to a peer may take, milliseconds. */
  readonly peerAckMs: number;
  readonly maxHeaderBytes: number;
  /** Of bodies that say their length; 0 = no bound. */
  readonly maxBodyBytes: number;
  /** How long an upgraded connection may be silent, milliseconds. */
  readonly upgradeIdleMs: number;
  /** Addresses and networks of proxies whose words about clients are believed. */
  readonly trustedProxies: readonly string[];
  /** Bounds are exact with one; each more may pass them by one call for a moment. */
  readonly threads: number;
  /** Whether calls are told of once they have ended (`record-rules.ts`). */
  readonly records: boolean;
  /** The part of the traces that begin here and are kept, 0..1; undefined: `traceparent` travels on as it came. */
  readonly traceRatio: number | undefined;
  /** The folder of `skein.lua` and what it is made of. */
  readonly lua: string;
  /** Of the HAProxy that is to read it. */
  readonly features: Features;
};

/** Where things are, from the folder alone. */
export const paths = ({ folder }: Pick<Settings, 'folder'>) =>
  ({
    configuration: join(folder, 'haproxy.cfg'),
    certificate: join(folder, 'own.pem'),
    admin: join(folder, 'admin.sock'),
    metrics: join(folder, 'metrics.sock'),
    again: join(folder, 'again.sock'),
    waiting: join(folder, 'wait.sock'),
    waitingControl: join(folder, 'waitc.sock'),
    calls: join(folder, 'calls.sock'),
    map: (name: MapName) => join(folder, `${name}.map`),
    anchor: (name: string) => join(folder, `${name}.crt`),
  }) as const satisfies PeerFiles & Record<string, unknown>;

/** Every word of the settings stands in the configuration; `invalid` names one that cannot. */
export const checkSettings = (settings: Settings): void => {
  const { folder, systemSocket, peerSystemSocket, lua, gateway, peer, nodeName, trustedProxies } = settings;
  for (const path of [folder, systemSocket, peerSystemSocket, lua]) if (!isPath(path)) throw unsayable('path', path);
  for (const { host } of [gateway, peer]) if (!isHost(host)) throw unsayable('host', host);
  for (const network of trustedProxies) if (!isNetwork(network)) throw unsayable('network', network);
  if (!isName(nodeName)) throw unsayable('node name', nodeName);
};

const unsayable = (what: string, text: string): SkeinError =>
  new SkeinError(
    'invalid',
    `HAProxy cannot be told the ${what} ${JSON.stringify(text)}: it may hold letters, digits, - . _ only`,
  );
