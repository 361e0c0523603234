import { parseImage } from '../bundles/image.ts';
import { parseConstraints, revisionOf } from '../catalogue/placement.ts';
import { keys } from '../catalogue/record.ts';
import type { FunctionValue } from '../catalogue/record.ts';
import { asFunction } from '../catalogue/values.ts';
import { SkeinError } from '../domain/errors.ts';
import type { FunctionDeployment, FunctionRef, FunctionStatus } from '../domain/function.ts';
import { defaultNamespace, functionKey } from '../domain/ids.ts';
import { unableToFind } from '../secrets/secrets.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Clock } from '../std/clock.ts';
import { askAll } from './ask.ts';
import type { Answers } from './ask.ts';
import { findFunction, functionNotFound, knownFunction } from './find-function.ts';
import { atNode, totalStatus } from './function-status.ts';
import { checkLabels } from './labels.ts';
import type { CatalogueAccess, FunctionHost, FunctionsService, Images, ScaledNow } from './needs.ts';
import { removeOverrides } from './overrides.ts';
import { checkQuantities } from './quantities.ts';
import { scaleAll } from './scale.ts';
import { checkVariables } from './variables.ts';

export type FunctionsNeeds = {
  readonly catalogue: CatalogueAccess;
  readonly images: Pick<Images, 'resolve'>;
  readonly secrets: Pick<Secrets, 'missing'>;
  /** This node. */
  readonly here: FunctionHost;
  /** The peers that are alive now, and those that fell silent of late: asking one of these fails at once. */
  peers(): readonly FunctionHost[];
  /** Resolves when calls at this node go by what the catalogue says by now. Never rejects. */
  inForce(): Promise<void>;
  readonly clock: Pick<Clock, 'now' | 'after'>;
};

/** Functions as the catalogue wants them, with the counts of the nodes that run them. */
export const createFunctionsService = (needs: FunctionsNeeds): FunctionsService => {
  const { catalogue } = needs;
  const found = (ref: FunctionRef): FunctionValue => knownFunction(catalogue, ref);

  return {
    keys: (namespace) =>
      catalogue
        .list(keys.function(namespace, ''))
        .map((record) => functionKey(asFunction(record).deployment.service, namespace)),

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
      if (findFunction(catalogue, ref) !== undefined) throw alreadyExists(ref);
      const createdAt = new Date(needs.clock.now()).toISOString();
      const value = await checked(deployment, createdAt, needs);
      const outcome = await catalogue.put(keyOf(ref), value, { ifAbsent: true });
      if (outcome.kind === 'exists') throw alreadyExists(ref);
      // Who deploys here and calls it here at once is not told that nobody knows it.
      await needs.inForce();
    },

    update: async (deployment) => {
      const ref = refOf(deployment);
      const { createdAt } = found(ref);
      const value = await checked(deployment, createdAt, needs);
      const outcome = await catalogue.put(keyOf(ref), value, { ifPresent: true });
      if (outcome.kind === 'absent') throw functionNotFound(ref);
    },

    remove: async (ref) => {
      found(ref);
      const outcome = await catalogue.remove(keyOf(ref));
      if (outcome.kind === 'absent') throw functionNotFound(ref);
      await removeOverrides(catalogue, ref);
    },

    scale: async (ref, replicas) => {
      found(ref);
      return scaleAll(ref, await askHosts(needs), () => replicas, needs.clock);
    },

    rescale: async (ref, wanted) => {
      const { labels } = found(ref).deployment;
      const changed = (now: ScaledNow): number | undefined => {
        const replicas = wanted(now, labels ?? {});
        return replicas === now.replicas ? undefined : replicas;
      };
      return scaleAll(ref, await askHosts(needs), changed, needs.clock);
    },
  };
};

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
  if (deployment.envProcess?.includes('\0')) throw new SkeinError('invalid', 'envProcess: holds NUL');
  checkVariables(deployment.envVars ?? {});
  checkQuantities('limits', deployment.limits);
  checkQuantities('requests', deployment.requests);
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

const byName = (a: FunctionStatus, b: FunctionStatus): number => (a.name < b.name ? -1 : 1);

const alreadyExists = (ref: FunctionRef): SkeinError =>
  new SkeinError('exists', `unable to create function ${ref.name}: it already exists; update it with PUT`);

const unknownImage = (text: string): SkeinError => {
  const image = parseImage(text);
  if (image === undefined) {
    return new SkeinError('invalid', `invalid reference format: ${JSON.stringify(text.slice(0, 100))} is no NAME:TAG`);
  }
  const tagged = `${image.name}:${image.tag}`.slice(0, 200);
  return new SkeinError(
    'invalid',
    `image ${text.slice(0, 200)} is not known to this federation: build it with "skein build DIR --image ${tagged} --push", or build and deploy in one step with "skein deploy DIR"`,
  );
};
