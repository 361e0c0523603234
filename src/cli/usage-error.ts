/** The command line or the configuration does not make sense: exit code 2. The message is one sentence a line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
