import { z } from 'zod';
import { nodeId, type NodeId } from '../../domain/ids.ts';
import { maxAddresses } from './addresses.ts';

/** Whom a node can introduce to another: itself first, then those it is connected to. */
export type Introduction = { readonly id: NodeId; readonly addresses: readonly string[] };

/** Most in one frame. */
export const maxIntroductions = 128;

const schema = z.array(
  z.object({ id: z.string().max(64), addresses: z.array(z.string().max(256)).max(2 * maxAddresses) }),
);

export const encodeIntroductions = (introductions: readonly Introduction[]): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(introductions.slice(0, maxIntroductions)));

/** Undefined when the bytes are no introductions. Never throws. */
export const decodeIntroductions = (bytes: Uint8Array): readonly Introduction[] | undefined => {
  try {
    const parsed = schema.max(maxIntroductions).safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    if (!parsed.success) return undefined;
    return parsed.data.map(({ id, addresses }) => ({ id: nodeId(id), addresses }));
  } catch {
    return undefined;
  }
};
