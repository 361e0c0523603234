/** What a data plane's ports are for, and the settings that choose others. */
export const portPurposes = {
  gateway: { purpose: 'gateway', setting: 'gateway.listen' },
  peer: { purpose: 'peer', setting: 'peer.listen' },
} as const;
