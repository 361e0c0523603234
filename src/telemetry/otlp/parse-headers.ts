import { SkeinError } from '../../domain/errors.ts';

const pattern = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\u0020-\u007e]*)$/;

/** `Name: value` on each line; empty ones and those that begin with `#` do not count. `invalid` names the line, never its text. */
export const parseHeaders = (text: string, file: string): Record<string, string> => {
  const headers: Record<string, string> = {};
  for (const [index, whole] of text.split('\n').entries()) {
    const line = whole.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [, name, value] = pattern.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new SkeinError('invalid', `${file}: line ${index + 1} is no header: write it as \`Name: value\``);
    }
    headers[name] = value;
  }
  return headers;
};
