import { nodeId } from '../domain/ids.ts';
import type { Member } from '../membership/membership.ts';

type Facts = Partial<Omit<Member, 'announcement'>> & { readonly announced?: Partial<Member['announcement']> };

/** A peer of that name and id which is there and has announced itself, unless `facts` say otherwise. */
export const member = (name: string, { announced, ...facts }: Facts = {}): Member => ({
  id: nodeId(name),
  publicKey: '00'.repeat(32),
  state: 'alive',
  lastSeen: 0,
  announcement: {
    name,
    version: '1',
    labels: {},
    roles: [],
    slots: 8,
    peer: { host: '127.0.0.1', port: 1 },
    gateway: '',
    addresses: [],
    draining: false,
    ...announced,
  },
  ...facts,
});
