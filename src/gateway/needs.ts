import { z } from 'zod';
import type { BundleStore } from '../bundles/bundle-store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { FunctionDeployment, FunctionRef, FunctionStatus } from '../domain/function.ts';
import type { Digest } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import type { Log } from '../telemetry/log.ts';

/** What the HTTP API of a node is handed. */
export type GatewayNeeds = {
  readonly functions: FunctionsService;
  /** This node alone, as peers may ask for it. */
  readonly here: FunctionHost;
  readonly bundles: BundleStore;
  readonly images: Images;
  federation(): FederationStatus;
  info(): NodeInfo;
  /** True once the node is leaving: `/healthz` then answers 503. */
  draining(): boolean;
  readonly admin: Admin;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly log: Log;
};

/** Who may use `/system/*`. */
export type Admin = {
  /** Takes the same time whatever part is wrong. */
  matches(user: string, password: string): boolean;
};

/**
 * Functions of the whole federation. All methods refuse with `SkeinError`s: `invalid` for what makes no sense,
 * `not-found` and `exists` as named.
 */
export type FunctionsService = {
  list(namespace: string): Promise<FunctionsAnswer>;
  /** `functions` holds the one function. `not-found`. */
  status(ref: FunctionRef): Promise<FunctionsAnswer>;
  /** Resolves when the wish is kept on disk; nodes follow. `exists`. */
  deploy(deployment: FunctionDeployment): Promise<void>;
  /** As `deploy`, for a function that is there. `not-found`. */
  update(deployment: FunctionDeployment): Promise<void>;
  /** `not-found`. */
  remove(ref: FunctionRef): Promise<void>;
  /** Sets the replicas of this node, or, when the function does not live here, of the first node where it does. `not-found`, `unavailable`. */
  scale(ref: FunctionRef, replicas: number): Promise<void>;
};

export type FunctionsAnswer = {
  readonly functions: readonly FunctionStatus[];
  /** Names of the nodes whose counts are missing, because they did not answer in time. */
  readonly unreachable: readonly string[];
};

/** A function at one node. */
export const nodeFunction = z.object({
  name: z.string().max(63),
  namespace: z.string().max(63),
  /** It lives at this node; false where the node only lets calls in. */
  placed: z.boolean(),
  replicas: z.number().int().min(0),
  availableReplicas: z.number().int().min(0),
  /** Calls that entered at this node, since its data plane started. */
  invocationCount: z.number().min(0),
});

export type NodeFunction = z.infer<typeof nodeFunction>;

/** One node seen as what runs functions: this one, or a peer over its peer listener. */
export type FunctionHost = {
  /** The node's name. */
  readonly name: string;
  /** `unavailable` or any other fault when it cannot be asked. */
  list(signal: AbortSignal): Promise<readonly NodeFunction[]>;
  /** `not-found` when the function does not live there. */
  scale(ref: FunctionRef, replicas: number, signal: AbortSignal): Promise<void>;
};

/** What image names mean in this federation. */
export type Images = {
  /** The bundle that an image name means; undefined when it means none. */
  resolve(image: string): Promise<Digest | undefined>;
  /** Lets `image` mean `digest` from now on; what is deployed keeps the digest it has. `invalid` when it is no image name. */
  tag(image: string, digest: Digest): Promise<void>;
  list(): readonly { readonly image: string; readonly digest: Digest }[];
};

/** What the gateway uses of the catalogue. */
export type CatalogueAccess = Pick<Catalogue, 'get' | 'list' | 'put' | 'remove'>;

export type NodeInfo = {
  readonly release: string;
  /** Of the commit, where known. */
  readonly sha: string;
  /** The kind of the function provider. */
  readonly provider: string;
  readonly arch: string;
};

const count = z.number().min(0);

/** A member as this node sees it. */
const federationMember = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(['alive', 'draining', 'gone']),
  slots: count,
  inFlight: count,
  /** Its public gateway. */
  address: z.string(),
  version: z.string(),
  location: z.string().optional(),
  rttMs: count.optional(),
  /** Since it was last heard, milliseconds; 0 for this node. */
  ageMs: count,
  /** The functions that live there, as `NAME.NAMESPACE`. */
  functions: z.array(z.string()),
});

/** `GET /system/federation`: the federation as this node sees it. */
export const federationStatus = z.object({
  self: z.object({ id: z.string(), name: z.string() }),
  strategy: z.string(),
  plan: z.object({ version: count }),
  catalogue: z.object({
    /** Functions, images, overrides: what is there. */
    records: count,
    tombstones: count,
    /** The highest version counter seen. */
    counter: count,
  }),
  /** Calls since this node's data plane started. */
  traffic: z.object({
    entered: count,
    served: count,
    forwardedOut: count,
    forwardedIn: count,
    rejected: count,
  }),
  /** This node first. */
  members: z.array(federationMember),
});

export type FederationMember = z.infer<typeof federationMember>;
export type FederationStatus = z.infer<typeof federationStatus>;
