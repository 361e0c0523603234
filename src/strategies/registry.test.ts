import { describe, expect, it } from 'vitest';
import { strategies, strategyNamed, strategyNames } from './registry.ts';
import { strategyConformance } from './strategy.conformance.ts';

for (const strategy of strategies) strategyConformance(strategy);

describe('the registry of strategies', () => {
  it('finds each by its name', () => {
    for (const name of strategyNames) expect(strategyNamed(name).name).toBe(name);
  });

  it.each([
    ['recalcstrategy', 'recalc'],
    ['alllocalstrategy', 'all-local'],
    ['staticstrategy', 'static'],
    ['Recalc', 'recalc'],
  ])('knows %s, a name that DFaaS uses or spells, as %s', (published, name) => {
    expect(strategyNamed(published).name).toBe(name);
  });

  it.each(['nodemarginstrategy', 'strategy', '', 'constructor'])('says what there is when asked for "%s"', (name) => {
    expect(() => strategyNamed(name)).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: `there is no strategy "${name}": choose one of least-loaded, recalc, static, all-local`,
      }),
    );
  });
});
