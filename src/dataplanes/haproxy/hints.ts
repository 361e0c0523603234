import type { PeerHint } from '../data-plane.ts';
import type { Shape } from './shape.ts';

/** A command is one line: of more functions than this, nothing is passed on. */
const maxFunctions = 500;

/** What a peer said of its load, as the command that tells Lua (`lua/agent.lua`); undefined for one that the plan does not name. */
export const hintCommand = (shape: Shape, { id, inFlight, slots, functions }: PeerHint): string | undefined => {
  const name = shape.peers[id]?.name;
  if (name === undefined) return undefined;
  const told = Object.entries(functions)
    .filter(([key]) => shape.plan.functions[key as keyof typeof functions] !== undefined)
    .slice(0, maxFunctions)
    .map(([key, there]) => `${key}:${whole(there.inFlight)}:${whole(there.limit)}:${whole(there.replicas)}`);
  return `skein hint ${name} ${whole(inFlight)} ${whole(slots)} ${told.join(',') || '-'}`;
};

const whole = (value: number): string => String(Math.min(1e9, Math.max(0, Math.round(value))) || 0);
