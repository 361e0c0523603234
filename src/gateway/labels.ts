import { SkeinError } from '../domain/errors.ts';

type Labels = Readonly<Record<string, string>>;
type Rule = { readonly holds: (value: string) => boolean; readonly must: string };

const integer = (min: number, max: number): Rule => ({
  holds: (value) => /^\d{1,10}$/.test(value) && Number(value) >= min && Number(value) <= max,
  must: `must be a whole number from ${min} to ${max}`,
});

const positive: Rule = {
  holds: (value) => /^\d{1,12}(\.\d{1,12})?$/.test(value) && Number(value) > 0,
  must: 'must be a number greater than 0',
};

const share: Rule = {
  holds: (value) => positive.holds(value) && Number(value) <= 1,
  must: 'must be a number greater than 0, at most 1',
};

const duration: Rule = {
  holds: (value) => /^(\d{1,9}|(\d{1,9}(\.\d{1,9})?(ms|s|m|h))+)$/.test(value) && value.length <= 32,
  must: 'must be a duration such as 90s or 15m',
};

const oneOf = (...values: readonly string[]): Rule => ({
  holds: (value) => values.includes(value),
  must: `must be one of ${values.join(', ')}`,
});

/** The labels that mean something here. All others are carried unread. */
const rules: Readonly<Record<string, Rule>> = {
  'dfaas.maxrate': positive,
  'dfaas.timeout_ms': integer(1, 86_400_000),
  'skein.async.concurrency': integer(1, 9_999),
  'com.openfaas.scale.min': integer(0, 10_000),
  'com.openfaas.scale.max': integer(1, 10_000),
  'com.openfaas.scale.factor': integer(1, 100),
  'com.openfaas.scale.zero': oneOf('true', 'false'),
  'com.openfaas.scale.zero-duration': duration,
  'com.openfaas.scale.target': positive,
  'com.openfaas.scale.target-proportion': share,
  'com.openfaas.scale.type': oneOf('rps', 'capacity', 'cpu', 'queue'),
};

/** Refuses, with `invalid` and the label's name, values that could not be followed. */
export const checkLabels = (labels: Labels): void => {
  for (const [label, rule] of Object.entries(rules)) {
    const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
    if (value !== undefined && !rule.holds(value)) {
      throw new SkeinError('invalid', `label ${label}: ${rule.must}; it is ${JSON.stringify(value.slice(0, 64))}`);
    }
  }
  const [min, max] = [labels['com.openfaas.scale.min'], labels['com.openfaas.scale.max']];
  if (min !== undefined && max !== undefined && Number(min) > Number(max)) {
    throw new SkeinError('invalid', `label com.openfaas.scale.min: ${min} is more than com.openfaas.scale.max, ${max}`);
  }
};
