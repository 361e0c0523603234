import { SkeinError } from '../domain/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const reference = /(?<escaped>\$\$\{)|\$\{(?<inner>[^}]*)\}?/g;
const form = /^(?<name>[A-Za-z_]\w*)(?::-(?<fallback>.*))?$/s;

/**
 * Fills in `${NAME}` and `${NAME:-default}` (when it is not set, or empty); `$${` stands for `${`. `unset` is told of each
 * name that is not set and has no default. `invalid` for any other form, so that nothing is taken for what it is not.
 */
export const substitute = (text: string, environment: Environment, unset: (name: string) => void): string =>
  text.replace(reference, (whole, ...rest: readonly unknown[]) => {
    const { escaped, inner } = rest.at(-1) as { readonly escaped?: string; readonly inner?: string };
    if (escaped !== undefined) return '${';
    const { name, fallback } = (whole.endsWith('}') ? form.exec(inner ?? '')?.groups : undefined) ?? {};
    if (name === undefined) {
      throw new SkeinError(
        'invalid',
        `${whole} cannot be filled in: write \${NAME} or \${NAME:-default}, or $$\{ for the characters themselves.`,
      );
    }
    const value = environment[name];
    if (value === undefined && fallback === undefined) unset(name);
    return value || (fallback ?? '');
  });
