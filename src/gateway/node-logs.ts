import { once } from 'node:events';
import type { FunctionProvider } from '../providers/provider.ts';
import type { LogLine, LogQuery } from './needs.ts';

/** The log of a function at this node. Empty where the provider keeps none. */
export const nodeLogs =
  (provider: Pick<FunctionProvider, 'logs'>) =>
  (query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine> => {
    const { name, namespace, tail, since, follow, replica } = query;
    const options = { tail, since, follow, signal, ...(replica !== undefined && { instance: replica }) };
    return provider.logs?.({ name, namespace }, options) ?? nothing(follow, signal);
  };

const nothing = async function* (follow: boolean, signal: AbortSignal): AsyncGenerator<LogLine, void, undefined> {
  if (follow && !signal.aborted) await once(signal, 'abort');
  yield* [];
};
