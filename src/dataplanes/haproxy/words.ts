import type { Address, FunctionPlan, PeerPlan, Plan } from '../../routing/plan.ts';

/**
 * What may stand in HAProxy's configuration and commands. Text of peers and users is never quoted or escaped there: it is
 * one of these plain words, or it is left out and reported. Functions, replicas and peers are called by names of our own.
 */
const functionKeyPattern = /^(?=.{3,250}$)[-a-zA-Z_0-9.]+\.[-a-zA-Z_0-9]+$/;
const hostPattern = /^(?=.{1,253}$)(?:[a-zA-Z0-9](?:[-a-zA-Z0-9.]*[a-zA-Z0-9])?|[0-9a-fA-F:]+)$/;
const pathPattern = /^\/[-a-zA-Z_0-9./+=]{1,106}$/;
const nodeIdPattern = /^[a-zA-Z0-9]{1,128}$/;
const publicKeyPattern = /^[0-9a-f]{64}$/;
const namePattern = /^[-a-zA-Z_0-9.]{1,128}$/;

export const isPath = (text: string): boolean => pathPattern.test(text);
export const isHost = (text: string): boolean => hostPattern.test(text) || text === '*';
export const isName = (text: string): boolean => namePattern.test(text);
export const isNetwork = (text: string): boolean => /^[0-9a-fA-F.:]{2,45}(?:\/\d{1,3})?$/.test(text);

export const isAddress = (address: Address): boolean =>
  address.kind === 'unix'
    ? isPath(address.path)
    : hostPattern.test(address.host) && Number.isInteger(address.port) && address.port > 0 && address.port < 65_536;

/** As `server` and `bind` lines want it. */
export const addressText = (address: Address): string =>
  address.kind === 'unix' ? `unix@${address.path}` : hostText(address.host, address.port);

export const hostText = (host: string, port: number): string =>
  host.includes(':') ? `ipv6@[${host}]:${port}` : `${host}:${port}`;

const isPeer = ({ id, address, publicKey }: PeerPlan): boolean =>
  nodeIdPattern.test(id) && isAddress(address) && publicKeyPattern.test(publicKey);

/** The plan without what cannot be told to HAProxy, and a sentence for each thing left out. */
export const sayable = (plan: Plan): { readonly plan: Plan; readonly problems: readonly string[] } => {
  const problems: string[] = [];
  const peers = plan.peers.filter((peer) => {
    if (isPeer(peer)) return true;
    problems.push(`the peer ${JSON.stringify(peer.id)} has an address or key that HAProxy cannot be told`);
    return false;
  });
  const known = new Set(peers.map(({ id }) => id));
  const functions = Object.entries(plan.functions).flatMap(([key, function_]) => {
    if (functionKeyPattern.test(key)) return [[key, reachable(key, function_, known, problems)] as const];
    problems.push(`the function ${JSON.stringify(key)} has a name that HAProxy cannot be told`);
    return [];
  });
  return { plan: { ...plan, peers, functions: Object.fromEntries(functions) }, problems };
};

const reachable = (
  key: string,
  function_: FunctionPlan,
  known: ReadonlySet<string>,
  problems: string[],
): FunctionPlan => {
  const replicas = function_.replicas.filter(({ id, address }) => {
    if (isAddress(address)) return true;
    problems.push(`the replica ${JSON.stringify(id)} of ${key} has an address that HAProxy cannot be told`);
    return false;
  });
  return { ...function_, replicas, peers: function_.peers.filter(({ id }) => known.has(id)) };
};
