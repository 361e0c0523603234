/** Headers whose presence matters, and whose value differs from run to run. */
export const isMasked = (header: string): boolean => ['x-duration-seconds', 'x-skein-node'].includes(header);

const volatile: readonly (readonly [RegExp, string])[] = [
  [/"createdAt":"\d{4}-[^"]+Z"/g, '"createdAt":"*"'],
  [/"timestamp":"\d{4}-[^"]+"/g, '"timestamp":"*"'],
  [/"instance":"node-\d\/\w+"/g, '"instance":"*"'],
  [/"release":"\d[^"]*"/g, '"release":"*"'],
  [/"sha":"[^"]*"/g, '"sha":"*"'],
  [/"arch":"\w+"/g, '"arch":"*"'],
  [/"usage":\{[^}]*\}/g, '"usage":*'],
  [/Duration: \d+\.\d+s/g, 'Duration: *'],
  [/127\.0\.0\.1:\d+/g, '127.0.0.1:*'],
];

/** The text without what differs from run to run. */
export const masked = (text: string): string =>
  volatile.reduce((left, [pattern, shown]) => left.replaceAll(pattern, shown), text);
