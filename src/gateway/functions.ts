import { parseConstraints, revisionOf } from '../catalogue/placement.ts';
import { keys } from '../catalogue/record.ts';
import type { FunctionValue } from '../catalogue/record.ts';
import { asFunction } from '../catalogue/values.ts';
import { SkeinError } from '../domain/errors.ts';
import { functionName } from '../domain/function.ts';
import type { FunctionDeployment, FunctionRef, FunctionStatus } from '../domain/function.ts';
import { defaultNamespace } from '../domain/ids.ts';
import { unableToFind } from '../secrets/secrets.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Clock } from '../std/clock.ts';
import { nearestName } from '../std/nearest-name.ts';
import { askAll } from './ask.ts';
import type { Answers, Home } from './ask.ts';
import { atNode, totalStatus } from './function-status.ts';
import { checkLabels } from './labels.ts';
import type { CatalogueAccess, FunctionHost, FunctionsService, Images } from './needs.ts';
import { removeOverrides } from './overrides.ts';
import { checkVariables } from './variables.ts';

export type FunctionsNeeds = {
  readonly catalogue: CatalogueAccess;
  readonly images: Pick<Images, 'resolve'>;
  readonly secrets: Pick<Secrets, 'missing'>;
  /** This node. */
  readonly here: FunctionHost;
  /** The peers that are alive now. */
  peers(): readonly FunctionHost[];
  readonly clock: Pick<Clock, 'now' | 'after'>;
};

/** Functions as the catalogue wants them, with the counts of the nodes that run them. */
export const createFunctionsService = (needs: FunctionsNeeds): FunctionsService => {
  const { catalogue } = needs;
  const find = (ref: FunctionRef): FunctionValue | undefined => {
    if (!functionName.safeParse(ref.name).success) return undefined;
    const record = catalogue.get(keyOf(ref));
    return record && asFunction(record);
  };
  const found = (ref: FunctionRef): FunctionValue => find(ref) ?? fail(notFound(ref, near(ref)));
  const near = (ref: FunctionRef): string | undefined =>
    nearestName(
      ref.name.slice(0, maxSlipped),
      catalogue.list(keys.function(ref.namespace, '')).map((record) => asFunction(record).deployment.service),
    );

  return {
    list: async (namespace) => {
      const answers = await askHosts(needs);
      const wanted = catalogue.list(keys.function(namespace, '')).map(asFunction);
      const functions = wanted.map((value) => totalStatus(value, answers.counts)).sort(byName);
      return { functions, unreachable: answers.unreachable };
    },

    status: async (ref) => {
      const value = found(ref);
      const answers = await askHosts(needs);
      const wish = revisionOf(value, value.deployment);
      const nodes = answers.each(ref).map((said) => atNode(said, wish));
      return { functions: [{ ...totalStatus(value, answers.counts), nodes }], unreachable: answers.unreachable };
    },

    deploy: async (deployment) => {
      const ref = refOf(deployment);
      if (find(ref) !== undefined) throw alreadyExists(ref);
      const createdAt = new Date(needs.clock.now()).toISOString();
      const value = await checked(deployment, createdAt, needs);
      const outcome = await catalogue.put(keyOf(ref), value, { ifAbsent: true });
      if (outcome.kind === 'exists') throw alreadyExists(ref);
    },

    update: async (deployment) => {
      const ref = refOf(deployment);
      const { createdAt } = found(ref);
      const value = await checked(deployment, createdAt, needs);
      const outcome = await catalogue.put(keyOf(ref), value, { ifPresent: true });
      if (outcome.kind === 'absent') throw notFound(ref);
    },

    remove: async (ref) => {
      found(ref);
      const outcome = await catalogue.remove(keyOf(ref));
      if (outcome.kind === 'absent') throw notFound(ref);
      await removeOverrides(catalogue, ref);
    },

    scale: async (ref, replicas) => {
      found(ref);
      await scaleAt(await homeOf(ref, needs), ref, replicas, needs);
    },

    rescale: async (ref, wanted) => {
      const { labels } = found(ref).deployment;
      const home = await homeOf(ref, needs);
      const replicas = wanted(home.replicas, labels ?? {});
      if (replicas !== home.replicas) await scaleAt(home, ref, replicas, needs);
    },
  };
};

/** A replica that starts from nothing may take this long. */
const scaleMs = 25_000;

/** Longer names are compared by their beginning. */
const maxSlipped = 64;

/** Missing secrets that a refusal names. */
const maxNamed = 20;

const maxConstraints = 32;
const maxConstraintLength = 512;

const keyOf = (ref: FunctionRef): string => keys.function(ref.namespace, ref.name);

const refOf = ({ service, namespace }: FunctionDeployment): FunctionRef => ({
  name: service,
  namespace: namespace || defaultNamespace,
});

/** The deployment as the catalogue keeps it, once everything in it is known to make sense. */
const checked = async (
  deployment: FunctionDeployment,
  createdAt: string,
  needs: FunctionsNeeds,
): Promise<FunctionValue> => {
  const missing = needs.secrets.missing(refOf(deployment).namespace, deployment.secrets ?? []);
  if (missing.length > 0) throw new SkeinError('invalid', unableToFind(missing.slice(0, maxNamed)));
  checkLabels(deployment.labels ?? {});
  checkVariables(deployment.envVars ?? {});
  checkConstraints(deployment.constraints ?? []);
  const digest = await needs.images.resolve(deployment.image);
  if (digest === undefined) throw unknownImage(deployment.image);
  return { deployment, digest, createdAt };
};

const checkConstraints = (constraints: readonly string[]): void => {
  if (constraints.length > maxConstraints || constraints.some((text) => text.length > maxConstraintLength)) {
    const sentence = `more than ${maxConstraints} constraints, or one longer than ${maxConstraintLength} characters`;
    throw new SkeinError('invalid', sentence);
  }
  parseConstraints(constraints);
};

const askHosts = (needs: FunctionsNeeds): Promise<Answers> => askAll([needs.here, ...needs.peers()], needs.clock);

/** The node to scale at: this one if the function lives here. */
const homeOf = async (ref: FunctionRef, needs: FunctionsNeeds): Promise<Home> => {
  const { homes } = await askHosts(needs);
  const home = homes(ref)[0];
  if (home === undefined) {
    throw new SkeinError('unavailable', `no node where ${ref.name} lives answered: try again when one is back`);
  }
  return home;
};

const scaleAt = async ({ host }: Home, ref: FunctionRef, replicas: number, needs: FunctionsNeeds): Promise<void> => {
  const late = new AbortController();
  const cancel = needs.clock.after(scaleMs, () => late.abort());
  await host.scale(ref, replicas, late.signal).finally(cancel);
};

const byName = (a: FunctionStatus, b: FunctionStatus): number => (a.name < b.name ? -1 : 1);

const fail = (error: Error): never => {
  throw error;
};

/** As OpenFaaS says it, and which name was probably meant. */
const notFound = (ref: FunctionRef, near?: string): SkeinError => {
  const hint = near === undefined ? '' : `: did you mean ${near}?`;
  return new SkeinError('not-found', `service ${ref.name.slice(0, 100)} not found${hint}`);
};

const alreadyExists = (ref: FunctionRef): SkeinError =>
  new SkeinError('exists', `unable to create function ${ref.name}: it already exists; update it with PUT`);

const unknownImage = (image: string): SkeinError => {
  const shown = image.slice(0, 200);
  const tagged = shown.includes(':') ? shown : `${shown}:latest`;
  return new SkeinError(
    'invalid',
    `image ${shown} is not known to this federation: build it with "skein build DIR --image ${tagged} --push", or build and deploy in one step with "skein deploy DIR"`,
  );
};
