import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { nearestName } from '../std/nearest-name.ts';
import { configKeys } from './keys.ts';

/** What a configuration file says, not checked against the types of its settings yet. */
export type FileLayer = {
  /** By key (`gateway.listen`). */
  readonly values: ReadonlyMap<string, unknown>;
  /** What is not understood: broken YAML, keys that are no settings. Sentences that begin with the place. */
  readonly problems: readonly string[];
  /** `skein.yaml:3: `, for the beginning of a sentence about that setting. */
  place(key: string): string;
};

export const readConfigFile = (name: string, text: string): FileLayer => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined): string =>
    offset === undefined ? `${name}: ` : `${name}:${lines.linePos(offset).line}: `;
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => `${at(error.pos[0])}${error.message}`);
    return { values: new Map(), problems, place: () => `${name}: ` };
  }
  const values = new Map<string, unknown>();
  const problems: string[] = [];
  const offsets = new Map<string, number | undefined>();
  const read = (container: unknown, prefix: string): void => {
    if (!isMap(container)) return;
    for (const { key: keyNode, value } of container.items) {
      const key = `${prefix}${isScalar(keyNode) ? String(keyNode.value) : String(keyNode)}`;
      const offset = isScalar(keyNode) ? keyNode.range?.[0] : undefined;
      if (isGroup(key)) {
        if (isMap(value)) read(value, `${key}.`);
        else if (!isEmpty(value))
          problems.push(`${at(offset)}${key} holds settings of its own, such as ${example(key)}`);
        continue;
      }
      if (!isKey(key)) problems.push(`${at(offset)}${key} is no setting${hint(key)}`);
      else if (!isEmpty(value)) values.set(key, plain(value, document));
      offsets.set(key, offset);
    }
  };
  if (isMap(document.contents)) read(document.contents, '');
  else if (!isEmpty(document.contents)) problems.push(`${name}: must hold settings, such as ${example('gateway')}`);
  return { values, problems, place: (key) => at(offsets.get(key)) };
};

const isKey = (key: string): boolean => configKeys.some((known) => known.key === key);

const isGroup = (key: string): boolean => configKeys.some((known) => known.key.startsWith(`${key}.`));

const isEmpty = (node: unknown): boolean => node === null || (isScalar(node) && node.value === null);

const plain = (node: unknown, document: Document): unknown =>
  isScalar(node) ? node.value : (node as { toJS(document: Document): unknown }).toJS(document);

const example = (group: string): string =>
  configKeys.find((known) => known.key.startsWith(`${group}.`))?.key ?? 'gateway.listen';

const groups = [...new Set(configKeys.map((known) => known.key.split('.')[0]!))];

/** Compares whole keys, then the last part within its group, then the first part. */
const hint = (key: string): string => {
  const keys = configKeys.map((known) => known.key);
  const sameGroup = keys.filter((known) => known.split('.')[0] === key.split('.')[0]);
  const last = nearestName(
    key.split('.').at(-1)!,
    sameGroup.map((known) => known.split('.').at(-1)!),
  );
  const near = sameGroup.find((known) => known.split('.').at(-1) === last) ?? nearestName(key, [...keys, ...groups]);
  return near === undefined ? '; `skein config reference` lists what there is' : `: did you mean ${near}?`;
};
