import type { PeerHint } from '../data-plane.ts';
import type { Shape } from './shape.ts';

/** Of more functions than a node tells at once, nothing is passed on. */
const maxFunctions = 1_000;
/** HAProxy reads a command into one of its buffers, and ends the connection where it is longer. */
const maxListLength = 8_000;

/**
 * What a peer said of its load, as commands that tell Lua (`lua/agent.lua`): as many as its functions fill. None for one that
 * the plan does not name.
 */
export const hintCommands = (shape: Shape, { id, inFlight, slots, functions }: PeerHint): readonly string[] => {
  const name = shape.peers[id]?.name;
  if (name === undefined) return [];
  const told = Object.entries(functions)
    .filter(([key]) => shape.plan.functions[key as keyof typeof functions] !== undefined)
    .slice(0, maxFunctions)
    .map(([key, there]) => `${key}:${whole(there.inFlight)}:${whole(there.limit)}:${whole(there.replicas)}`);
  return joined(told).map((list) => `skein hint ${name} ${whole(inFlight)} ${whole(slots)} ${list || '-'}`);
};

/** In lists with commas; one list at least, which may be empty. */
const joined = (items: readonly string[]): readonly string[] => {
  const lists: string[] = [];
  let list = '';
  for (const item of items) {
    if (list !== '' && list.length + item.length >= maxListLength) {
      lists.push(list);
      list = '';
    }
    list += list === '' ? item : `,${item}`;
  }
  return [...lists, list];
};

const whole = (value: number): string => String(Math.min(1e9, Math.max(0, Math.round(value))) || 0);
