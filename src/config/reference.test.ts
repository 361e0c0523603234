import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configKeys } from './keys.ts';
import { configReference } from './reference.ts';

test('the reference page in docs/ is what the schema says', () => {
  const page = join(import.meta.dirname, '../../docs/reference/configuration.md');
  expect(readFileSync(page, 'utf8'), 'run `node scripts/generate-docs.ts`').toBe(configReference());
});

test('every setting has three names, and no name is used twice', () => {
  const listen = configKeys.find(({ key }) => key === 'gateway.listen');
  expect(listen).toMatchObject({ env: 'SKEIN_GATEWAY_LISTEN', flag: '--gateway-listen', kind: 'text' });
  const period = configKeys.find(({ key }) => key === 'strategy.periodMs');
  expect(period).toMatchObject({ env: 'SKEIN_STRATEGY_PERIOD_MS', flag: '--strategy-period-ms', kind: 'number' });
  for (const field of ['key', 'env', 'flag'] as const) {
    expect(new Set(configKeys.map((key) => key[field])).size).toBe(configKeys.length);
  }
});
