/**
 * What can go wrong, as a code that travels. An error carries its code and a sentence that says what happened and
 * what to do about it; `httpStatus` is the one place where a code becomes a status.
 */
export type ErrorCode =
  /** The caller's input does not make sense: it must be changed before trying again. */
  | 'invalid'
  /** No credentials, or wrong ones. */
  | 'unauthenticated'
  /** The caller is known and may not do this. */
  | 'forbidden'
  | 'not-found'
  /** Something of that name is there already. */
  | 'exists'
  /** A documented size or count was exceeded. */
  | 'too-large'
  /** As much is there already as there may be: it may work later. */
  | 'full'
  /** It may work later or elsewhere. */
  | 'unavailable'
  /** Time ran out. */
  | 'timeout'
  /** This build or this machine cannot do it. */
  | 'unsupported'
  /** A bug or a broken disk: nothing the caller can change. */
  | 'internal';

const statuses: Record<ErrorCode, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  exists: 400,
  'too-large': 413,
  full: 503,
  unavailable: 503,
  timeout: 504,
  unsupported: 501,
  internal: 500,
};

export class SkeinError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'SkeinError';
    this.code = code;
  }
}

export const httpStatus = (code: ErrorCode): number => statuses[code];

/** The code of anything thrown; what is not ours is `internal`. */
export const codeOf = (error: unknown): ErrorCode => (error instanceof SkeinError ? error.code : 'internal');

/** The sentence of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
