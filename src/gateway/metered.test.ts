import { expect, it } from 'vitest';
import { patternOf } from './metered.ts';

it.each([
  ['/system/functions', '/system/functions'],
  ['/system/function/echo', '/system/function'],
  ['/system/function/echo.ns', '/system/function'],
  ['/system/scale-function/echo', '/system/scale-function'],
  ['/system/functionsx', undefined],
  ['/system/anything', undefined],
  ['/healthz', undefined],
])('%s is counted as %s', (path, pattern) => {
  expect(patternOf(path)).toBe(pattern);
});
