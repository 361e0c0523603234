import type { Duplex } from 'node:stream';

/** What comes back from a replica, or does not. */
export type ReplicaEvents = {
  head(status: number, headers: readonly (string | Buffer)[]): void;
  /** False asks for a pause; call `resume` to go on. */
  data(chunk: Buffer, resume: () => void): boolean;
  end(): void;
  /** `sent` is false only where the replica cannot be reached and has seen nothing: another may be asked. */
  fail(error: Error, sent: boolean): void;
  /** It granted an upgrade: the connection is handed over, with what came on it behind the head. */
  upgraded(headers: readonly string[], connection: Duplex): void;
};
