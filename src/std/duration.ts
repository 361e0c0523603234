const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

const part = /(\d+(?:\.\d+)?)(ms|s|m|h)/g;
const whole = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;

/** Milliseconds that `text` spells: `500ms`, `20s`, `1.5m`, `1h30m`. Undefined when it spells none; a unit is required. */
export const parseDuration = (text: string): number | undefined => {
  if (!whole.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit = ''] of text.matchAll(part)) ms += Number(count) * (unitsMs[unit] ?? 0);
  return ms;
};

/** Milliseconds as a person would say them: `0.35 ms`, `12 ms`, `1.25 s`. */
export const formatMs = (ms: number): string => {
  if (ms >= 1000) return `${rounded(ms / 1000)} s`;
  return `${rounded(ms)} ms`;
};

const rounded = (value: number): string => {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
};

/** Milliseconds of a number of seconds or a duration, as OpenFaaS' settings are written: `30`, `30s`, `1m30s`. */
export const parseSeconds = (text: string): number | undefined =>
  /^\d{1,9}$/.test(text) ? Number(text) * 1000 : parseDuration(text);
