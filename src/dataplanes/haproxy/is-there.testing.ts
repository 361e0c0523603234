import { execFileSync } from 'node:child_process';

/** Where nobody promises it, HAProxy may be absent; a CI that lacks it must not be green. */
export const haproxyMayBeAbsent = (): boolean => process.env['CI'] === undefined && !isThere();

const isThere = (): boolean => {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
