import { SkeinError, messageOf } from '../../domain/errors.ts';
import type { OpenBundle } from '../../bundles/bundle-store.ts';
import type { FunctionSpec } from '../provider.ts';
import { launchHttp } from './launch-http.ts';
import { launchNode } from './launch-node.ts';
import type { LedgerEntry } from './ledger.ts';
import type { LaunchNeeds, Replica } from './replica.ts';
import { lastLines, logFile, pruneLogs } from './replica-logs.ts';

/** Starts one replica. Rejects with `unavailable`, and nothing of it left but its log, when it does not become ready. */
export const launch = async (needs: LaunchNeeds, spec: FunctionSpec, bundle: OpenBundle): Promise<Replica> => {
  const { mode } = bundle.manifest;
  const launched =
    bundle.manifest.mode === 'node'
      ? await launchNode(needs, spec, bundle.folder, bundle.manifest)
      : await launchHttp(needs, spec, bundle.folder, bundle.manifest);
  const { id, address, process } = launched;
  const entry: LedgerEntry = { id, process: process.identity, address, mode, spec };
  try {
    await needs.ledger.put(entry);
    await launched.ready();
  } catch (error) {
    await process.end(needs.clock);
    const said = await lastLines(logFile(needs.folders.logs(spec.ref), id));
    await clear(needs, id);
    throw new SkeinError(
      'unavailable',
      said === '' ? messageOf(error) : `${messageOf(error)}; its last lines: ${said}`,
      {
        cause: error,
      },
    );
  }
  return { id, mode, spec, address, process, readyAtMs: needs.clock.monotonic() };
};

/** Forgets a replica that ended; its log stays, among the last few of its function. */
export const bury = async (needs: LaunchNeeds, replica: Replica, live: ReadonlySet<string>): Promise<void> => {
  await clear(needs, replica.id);
  await pruneLogs(needs.folders.logs(replica.spec.ref), live);
};

const clear = async (needs: LaunchNeeds, id: string): Promise<void> => {
  await needs.ledger.remove(id);
  await needs.folders.clear(id);
};
