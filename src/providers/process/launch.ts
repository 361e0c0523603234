import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { OpenBundle } from '../../bundles/bundle-store.ts';
import type { FunctionSpec } from '../provider.ts';
import { launchClassic } from './launch-classic.ts';
import { launchHttp } from './launch-http.ts';
import { launchNode } from './launch-node.ts';
import type { LedgerEntry } from './ledger.ts';
import type { Launched, LaunchNeeds, Replica } from './replica.ts';
import { addLine, lastLines, logFile } from './replica-logs.ts';

/**
 * Starts one replica; `begun` is told its id. Rejects with `unavailable`, and nothing of it left but its log, when it does not
 * become ready or `abandoned` aborts before.
 */
export const launch = async (
  needs: LaunchNeeds,
  spec: FunctionSpec,
  bundle: OpenBundle,
  abandoned: AbortSignal,
  begun: (id: string) => void,
): Promise<Replica> => {
  const { mode } = bundle.manifest;
  const launched = await start(needs, spec, bundle);
  const { id, address, process } = launched;
  begun(id);
  const probed = launched.readyPath === undefined ? {} : { readyPath: launched.readyPath };
  const entry: LedgerEntry = { id, process: process.identity, address, ...probed, mode, spec };
  try {
    await needs.ledger.put(entry);
    await unless(abandoned, launched.ready);
  } catch (error) {
    await process.end(needs.clock);
    const log = logFile(needs.folders.logs(spec.ref), id);
    const said = await lastLines(log);
    await addLine(log, mode, `the replica did not start: ${messageOf(error)}`, needs.clock.now());
    await clear(needs, id);
    throw new SkeinError(
      'unavailable',
      said === '' ? messageOf(error) : `${messageOf(error)}; its last lines: ${said}`,
      {
        cause: error,
      },
    );
  }
  return { id, mode, spec, address, ...probed, process, readyAtMs: needs.clock.monotonic() };
};

const unless = async (abandoned: AbortSignal, act: () => Promise<void>): Promise<void> => {
  const { promise: left, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(new SkeinError('unavailable', 'it is no longer wanted'));
  abandoned.addEventListener('abort', leave);
  try {
    if (abandoned.aborted) leave();
    await Promise.race([left, act()]);
  } finally {
    abandoned.removeEventListener('abort', leave);
  }
};

const start = (needs: LaunchNeeds, spec: FunctionSpec, { folder, manifest }: OpenBundle): Promise<Launched> => {
  switch (manifest.mode) {
    case 'node':
      return launchNode(needs, spec, folder, manifest);
    case 'http':
      return launchHttp(needs, spec, folder, manifest);
    case 'classic':
      return launchClassic(needs, spec, folder, manifest);
  }
};

/** Forgets a replica that ended; its log stays. */
export const clear = async (needs: LaunchNeeds, id: string): Promise<void> => {
  await needs.ledger.remove(id);
  await needs.folders.clear(id);
};
