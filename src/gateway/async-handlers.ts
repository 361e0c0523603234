import { NearNames } from '../dataplanes/near-names.ts';
import { sentenceOf } from '../dataplanes/refusals.ts';
import { parseTarget } from '../dataplanes/target.ts';
import { codeOf, httpStatus } from '../domain/errors.ts';
import { splitFunctionKey } from '../domain/ids.ts';
import type { FunctionKey } from '../domain/ids.ts';
import type { Handler } from './call.ts';
import type { GatewayNeeds } from './needs.ts';
import type { Queues } from './queues.ts';
import { empty, missingNodes, text } from './responses.ts';

type AsyncRoute = 'callLater' | 'callLaterWithPath' | 'cancelCall';

/** Calls that are made later. They need no password, as calls of functions do not. */
export const asyncHandlers = (
  { calls, functions, clock }: Pick<GatewayNeeds, 'calls' | 'functions' | 'clock'>,
  queues: Queues,
): Record<AsyncRoute, Handler> => {
  const nearNames = new NearNames();
  const unknown = (key: FunctionKey): Response => {
    const { namespace } = splitFunctionKey(key);
    const hint = nearNames.hint(() => functions.keys(namespace), key, clock.monotonic());
    return text(404, sentenceOf('unknown-function', key, hint === undefined ? '' : ` ${hint}`));
  };

  const enqueue: Handler = async (call) => {
    const target = parseTarget(call.target.replace(/^\/async-function\//, '/function/'));
    if (target === undefined) return text(404, '404 page not found');
    const { key, path } = target;
    try {
      const callId = await calls.enqueue({ function: key, path, headers: [...call.headers].flat(), body: call.body() });
      return empty(202, { 'x-call-id': callId });
    } catch (error) {
      if (codeOf(error) === 'not-found') return unknown(key);
      throw error;
    }
  };
  return {
    callLater: enqueue,
    callLaterWithPath: enqueue,

    cancelCall: async ({ target }) => {
      const callId = callIdOf(target);
      if (callId === undefined) return text(404, 'a call cannot have that id');
      const { cancelled, running, unreachable } = await queues.cancel(callId);
      const headers = { ...missingNodes(unreachable), 'x-call-id': callId };
      if (cancelled > 0) return empty(202, headers);
      if (running > 0) return text(409, 'the call runs already and goes on', headers);
      if (unreachable.length === 0) return text(404, 'no call of that id waits at any node that is there', headers);
      const sentence = `no call of that id waits where it was asked for, but not all nodes answered: try again`;
      return text(httpStatus('unavailable'), sentence, headers);
    },
  };
};

/** As `X-Call-Id` said it: a header is bytes, and what stands for them in a target is `%XX`. Undefined for what no header can say. */
const callIdOf = (target: string): string | undefined => {
  const written = target.slice(target.lastIndexOf('/') + 1).replace(/\?.*$/, '');
  const id = written.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return /^[\u0020-\u007e\u0080-\u00ff]+$/.test(id) ? id : undefined;
};
