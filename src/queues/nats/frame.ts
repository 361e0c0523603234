import { SkeinError } from '../../domain/errors.ts';

/** What a message carries beside its body. The last three are for dead letters alone. */
export type Envelope = {
  readonly meta: string;
  readonly why?: string;
  readonly attempts?: number;
  readonly addedAtMs?: number;
};

/** Four bytes with the length of the envelope (JSON), the envelope, the body. */
export const frame = (envelope: Envelope, body: Uint8Array): Uint8Array => {
  const head = Buffer.from(JSON.stringify(envelope));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, body]);
};

/** `internal` when it is none of ours. */
export const unframe = (data: Uint8Array): { readonly envelope: Envelope; readonly body: Uint8Array } => {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  try {
    const end = 4 + bytes.readUInt32BE(0);
    return { envelope: JSON.parse(bytes.toString('utf8', 4, end)) as Envelope, body: bytes.subarray(end) };
  } catch (cause) {
    throw new SkeinError('internal', 'A message in the queue’s stream was written by another program.', { cause });
  }
};
