import { setTimeout as pause } from 'node:timers/promises';

const lookMs = 25;

/** Thrown while looking: what is waited for cannot come any more. */
export class GiveUp extends Error {}

/** Looks at the world until it is as wanted, and returns what it found; fails with `what` when that takes too long. */
export const until = async <Found>(
  what: string,
  look: () => Promise<Found | undefined | false> | Found | undefined | false,
  // Long: a machine that is busy takes its time, and one that fails has it.
  limitMs = 60_000,
): Promise<Found> => {
  const giveUpAt = performance.now() + limitMs;
  let problem: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      problem = error;
    }
    if (performance.now() > giveUpAt) throw new Error(`not within ${limitMs} ms: ${what}`, { cause: problem });
    await pause(lookMs);
  }
};
