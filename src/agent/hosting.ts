import type { Catalogue } from '../catalogue/catalogue.ts';
import { applyOverrides, placementOf, revisionOf, type NodeFacts } from '../catalogue/placement.ts';
import { keys, type FunctionValue } from '../catalogue/record.ts';
import { asFunction, asOverride } from '../catalogue/values.ts';
import type { FunctionDeployment } from '../domain/function.ts';
import { functionKey, splitFunctionKey, type FunctionKey } from '../domain/ids.ts';
import { sha256Hex } from '../std/sha256.ts';
import type { Hosted } from './hosted.ts';
import { settingsOf } from './labels.ts';

export type HostingNeeds = {
  readonly catalogue: Pick<Catalogue, 'get' | 'list'>;
  readonly node: NodeFacts;
  /** Changes whenever the value of one of these secrets does. */
  readonly secretVersions: (namespace: string, names: readonly string[]) => string;
};

/** The functions of the catalogue as this node sees them: which live here, and how they differ here. */
export class Hosting {
  readonly #needs: HostingNeeds;
  readonly #functions = new Map<FunctionKey, Hosted>();

  constructor(needs: HostingNeeds) {
    this.#needs = needs;
  }

  get functions(): ReadonlyMap<FunctionKey, Hosted> {
    return this.#functions;
  }

  /** Reads anew what the changed records of the catalogue touch; returns those functions, also those that are gone. */
  update(changed: readonly string[]): ReadonlySet<FunctionKey> {
    const touched = new Set<FunctionKey>();
    for (const record of changed) {
      const [kind, namespace = '', name = ''] = record.split('/');
      if (kind === 'function' || kind === 'override') touched.add(functionKey(name, namespace));
      if (kind === 'secret') for (const key of this.#usersOf(namespace, name)) touched.add(key);
    }
    for (const key of touched) this.#read(key);
    return touched;
  }

  #usersOf(namespace: string, secret: string): readonly FunctionKey[] {
    return [...this.#functions.values()]
      .filter(({ ref, value }) => ref.namespace === namespace && value.deployment.secrets?.includes(secret) === true)
      .map(({ key }) => key);
  }

  #read(key: FunctionKey): void {
    const { catalogue, node } = this.#needs;
    const ref = splitFunctionKey(key);
    const record = catalogue.get(keys.function(ref.namespace, ref.name));
    if (record === undefined) {
      this.#functions.delete(key);
      return;
    }
    const before = this.#functions.get(key);
    const value = asFunction(record);
    const overrides = catalogue.list(keys.override(ref.namespace, ref.name, '')).map(asOverride);
    const deployment = applyOverrides(value, overrides, node);
    const { placed, problem } = placementOf(value.deployment.constraints, node);
    const spec = placed
      ? { ref, revision: this.#revisionOf(value, deployment, ref.namespace), digest: value.digest, deployment }
      : undefined;
    this.#functions.set(key, {
      key,
      ref,
      value,
      settings: settingsOf(deployment),
      spec,
      // While a new revision is made ready the old one goes on.
      ready: spec !== undefined && before?.ready === true,
      ...(problem !== undefined && { problem }),
    });
  }

  /** A changed secret is a changed function: replicas that have the new value replace those that have the old one. */
  #revisionOf(value: FunctionValue, deployment: FunctionDeployment, namespace: string): string {
    const revision = revisionOf(value, deployment);
    const names = deployment.secrets ?? [];
    if (names.length === 0) return revision;
    return `${revision}-${sha256Hex(this.#needs.secretVersions(namespace, names)).slice(0, 16)}`;
  }
}
