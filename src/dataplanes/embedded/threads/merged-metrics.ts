import type { MetricJson } from '../../../telemetry/tallies.ts';

type Values = MetricJson['values'];

/** The instruments of several threads, as one: what has the same name and the same labels is added up. */
export const mergedMetrics = (each: readonly (readonly MetricJson[])[]): readonly MetricJson[] => {
  const byName = new Map<string, MetricJson>();
  for (const metric of each.flat()) {
    const before = byName.get(metric.name);
    byName.set(metric.name, before === undefined ? metric : { ...before, values: added(before.values, metric.values) });
  }
  return [...byName.values()];
};

const added = (one: Values, other: Values): Values => {
  const bySeries = new Map(one.map((value) => [seriesOf(value), value]));
  for (const value of other) {
    const series = seriesOf(value);
    const before = bySeries.get(series);
    bySeries.set(series, before === undefined ? value : { ...before, value: before.value + value.value });
  }
  return [...bySeries.values()];
};

const seriesOf = ({ metricName, labels }: Values[number]): string =>
  JSON.stringify([metricName, Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))]);
