import type { Reason } from '../domain/reason.ts';
import type { Call } from './call.ts';
import { valueOf } from './headers.ts';
import { notRun } from './refusals.ts';

/**
 * A peer with HAProxy cannot act on an interim answer, only pass it on to its client; and it tries again elsewhere by the
 * status alone. So it asks for 425 where nothing ran, a status that no function gives (`X-Skein-Refuse: 425`).
 */
const asked = 'x-skein-refuse';

/** Whether the sender waits for the word that its call was taken. */
export const waitsForWord = ({ request }: Call): boolean =>
  valueOf(request.rawHeaders, asked) === undefined || valueOf(request.rawHeaders, 'x-skein-asked') === '1';

/** The status that a refusal has on its way to whoever sent the call. */
export const statusFor = ({ from, request }: Call, reason: Reason, status: number): number =>
  from !== undefined && notRun.has(reason) && valueOf(request.rawHeaders, asked) === '425' ? 425 : status;
