import { messageOf, SkeinError } from './errors.ts';

/** A port that is to be listened on: what for, and what chooses another (`--port`, `gateway.listen`). */
export type WantedPort = {
  readonly port: number;
  readonly purpose: string;
  readonly setting: string;
};

/** What is said of a port that somebody else has, wherever it is found out. */
export const portInUse = ({ port, purpose, setting }: WantedPort): SkeinError =>
  new SkeinError(
    'unavailable',
    `port ${port} (${purpose}) is in use: stop what listens there (\`skein down\`?), or choose another with ${setting}`,
  );

/** `unavailable`, in the words of `portInUse` where that is the cause. */
export const cannotListen = (host: string, wanted: WantedPort, cause: unknown): SkeinError => {
  const reason = messageOf(cause).split('\n').at(-1)?.trim() ?? '';
  if (messageOf(cause).includes('EADDRINUSE')) return portInUse(wanted);
  // Which is what a system says that knows no SO_REUSEPORT, or another than Linux'.
  if (messageOf(cause).includes('ENOTSUP')) {
    const sentence = 'this system cannot share a port among threads: set dataPlane.embeddedThreads to 1';
    return new SkeinError('unavailable', sentence, { cause });
  }
  const { port, purpose, setting } = wanted;
  return new SkeinError(
    'unavailable',
    `cannot listen on ${host}:${port} (${purpose}): ${reason}; choose another address with ${setting}`,
    { cause },
  );
};
