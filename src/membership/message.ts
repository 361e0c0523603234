import { z } from 'zod';

/**
 * What members tell each other: JSON, one object a message. A member that speaks a later version of a kind is not
 * understood and dropped; new optional fields need no new version.
 */
export const messageVersion = 1;

/** Longest message in bytes, encoded. Longer catalogue answers are cut into several. */
export const maxMessageBytes = 1024 * 1024;

const count = z.number().int().min(0).max(1_000_000_000);
const short = z.string().max(256);
/** No control characters, so that logs and tables stay whole. */
const name = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
const host = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[0-9A-Za-z.:-]+$/);

/** What a node says of itself when it comes and whenever it changes. */
export const announcement = z.object({
  name,
  /** Of the program. */
  version: short,
  location: short.optional(),
  labels: z.record(short, short).default({}),
  roles: z.array(short).max(16).default([]),
  slots: count,
  /** The peer listener of its data plane; a wildcard host is replaced by the address it is seen at. */
  peer: z.object({ host, port: z.number().int().min(1).max(65_535) }),
  /** Its public gateway, for people. */
  gateway: short,
  /** Multiaddrs of its membership listener: how others that only heard of it can reach it. */
  addresses: z.array(short).max(16).default([]),
  draining: z.boolean().default(false),
});

export type Announcement = z.infer<typeof announcement>;

/** How busy a node is: on a tenfold-percent change, and at least every max(1 s, members × 10 ms). */
const status = z.object({
  inFlight: count,
  slots: count,
  /** Of the functions placed there; `limit` 0 = bounded by the slots alone. */
  functions: z.record(short, z.object({ inFlight: count, limit: count, replicas: count })),
  /** Functions that are to live there and that cannot be started. */
  failing: z.array(short).max(1_000).optional(),
  /**
   * Of many functions only some are told of at a time: those that are named, and that no others live there whose key is
   * in this range (`to` is not in it; without it the range has no end). Absent: those that are named are all.
   */
  range: z.object({ from: short, to: short.optional() }).optional(),
});

/** One record of the catalogue, as it travels; `catalogue/record.ts` gives it meaning. */
export const wireRecord = z.object({
  key: z.string().min(1).max(512),
  version: z.object({ counter: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER), node: short }),
  /** null = deleted. */
  value: z.unknown(),
  /** Milliseconds since the epoch by the writer's clock; for collecting old tombstones only. */
  at: z.number().min(0).max(Number.MAX_SAFE_INTEGER),
});

export const body = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('announce'), announcement }),
  z.object({ kind: z.literal('status'), status }),
  /** Between equal strategies; the strategy checks the payload itself. */
  z.object({ kind: z.literal('strategy'), strategy: short, payload: z.unknown() }),
  /** New or changed records. */
  z.object({ kind: z.literal('records'), records: z.array(wireRecord).max(1000) }),
  /** Fingerprints of the sender's catalogue by bucket: the receiver answers with the records of those that differ. */
  z.object({
    kind: z.literal('digest'),
    buckets: z.array(z.string().max(64)).max(1024),
    /** True in a first digest: the receiver sends its own digest back. */
    ask: z.boolean(),
    /** True when the sender was cut off for so long that its records may be ones the others deleted and forgot. */
    away: z.boolean().optional(),
  }),
]);

export type Message = z.infer<typeof body>;
export type NodeStatus = z.infer<typeof status>;
export type WireRecord = z.infer<typeof wireRecord>;

const envelope = z.object({ v: z.literal(messageVersion), body });

/** The bytes of a message; throws a `RangeError` when it is longer than `maxMessageBytes`. */
export const encodeMessage = (message: Message): Uint8Array => {
  const bytes = new TextEncoder().encode(JSON.stringify({ v: messageVersion, body: message }));
  if (bytes.length > maxMessageBytes) {
    throw new RangeError(`a message of ${bytes.length} bytes is longer than ${maxMessageBytes}`);
  }
  return bytes;
};

/** The message in `bytes`, or undefined when they are no message of this version. Never throws. */
export const decodeMessage = (bytes: Uint8Array): Message | undefined => {
  if (bytes.length > maxMessageBytes) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const parsed = envelope.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.body : undefined;
  } catch {
    return undefined;
  }
};
