/** Of a function under alert. */
export type AlertFacts = {
  readonly status: 'firing' | 'resolved';
  /** At all its nodes together. */
  readonly replicas: number;
  /** At which it lives. */
  readonly nodes: number;
  readonly labels: Readonly<Record<string, string>>;
};

const defaults = { min: 1, max: 5, factor: 10 } as const;

/**
 * The replicas that an alert asks for, as OpenFaaS counts them: while it fires, `factor` percent of `max` more, at most `max`, but
 * no fewer than there are; once it is resolved, `min`. Labels: `com.openfaas.scale.min` (1), `.max` (5) and `.factor` (10); the first
 * two are those of one node, so they count once for each. With `min` equal to `max` there is nothing to scale.
 */
export const alertedReplicas = ({ status, replicas, nodes, labels }: AlertFacts): number => {
  const min = nodes * labelOf(labels, 'min');
  const max = Math.max(min, nodes * labelOf(labels, 'max'));
  if (min === max) return replicas;
  const step = Math.ceil((max * Math.min(100, labelOf(labels, 'factor'))) / 100);
  return status === 'firing' && step > 0 ? Math.max(replicas, Math.min(replicas + step, max)) : min;
};

const labelOf = (labels: AlertFacts['labels'], name: keyof typeof defaults): number => {
  const label = `com.openfaas.scale.${name}`;
  const text = Object.hasOwn(labels, label) ? (labels[label] ?? '') : '';
  return /^\d{1,10}$/.test(text) ? Number(text) : defaults[name];
};
