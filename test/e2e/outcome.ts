import type { LoadResult } from '../../src/loadtest/load-result.ts';

/** What went wrong in a load test, and when: empty when nothing did. */
export const losses = ({ failed, unsent, errors, reasons, statuses, perSecond }: LoadResult): object =>
  failed + unsent === 0
    ? {}
    : {
        failed,
        unsent,
        errors,
        reasons,
        statuses,
        failedBySecond: perSecond.map(({ failed }) => failed).join(' '),
        unsentBySecond: perSecond.map(({ unsent }) => unsent).join(' '),
      };
