import { SkeinError } from '../domain/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const reference = /(?<escaped>\$\$\{)|\$\{(?<inner>[^}]*)\}?/g;
const form = /^(?<name>[A-Za-z_]\w*)(?::-(?<fallback>.*))?$/s;

/**
 * Fills in `${NAME}` (nothing when it is not set) and `${NAME:-default}` (when it is not set, or empty); `$${` stands
 * for `${`. `invalid` for any other form, so that nothing is taken for what it is not.
 */
export const substitute = (text: string, environment: Environment): string =>
  text.replace(reference, (whole, ...rest: readonly unknown[]) => {
    const { escaped, inner } = rest.at(-1) as { readonly escaped?: string; readonly inner?: string };
    if (escaped !== undefined) return '${';
    const { name, fallback = '' } = (whole.endsWith('}') ? form.exec(inner ?? '')?.groups : undefined) ?? {};
    if (name === undefined) {
      throw new SkeinError(
        'invalid',
        `${whole} cannot be filled in: write \${NAME} or \${NAME:-default}, or $$\{ for the characters themselves.`,
      );
    }
    const value = environment[name] ?? '';
    return value === '' ? fallback : value;
  });
