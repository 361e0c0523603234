import { z } from 'zod';
import type { AsyncInvoker } from '../async/async-invoker.ts';
import type { BundleStore } from '../bundles/bundle-store.ts';
import type { Catalogue } from '../catalogue/catalogue.ts';
import type { FunctionDeployment, FunctionRef, FunctionStatus } from '../domain/function.ts';
import type { Digest, FunctionKey } from '../domain/ids.ts';
import type { Clock } from '../std/clock.ts';
import type { ReplicaLine } from '../providers/provider.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { ApiAnswer } from '../telemetry/api-instruments.ts';
import type { Log } from '../telemetry/log.ts';
import type { QueueHost } from './queue-host.ts';

/** What the HTTP API of a node is handed. */
export type GatewayNeeds = {
  readonly functions: FunctionsService;
  readonly overrides: OverridesService;
  readonly namespaces: NamespacesService;
  readonly secrets: SecretsService;
  /** This node alone, as peers may ask for it. */
  readonly here: FunctionHost;
  /** Calls that are made later, through the queue of this node. */
  readonly calls: Pick<AsyncInvoker, 'shared' | 'enqueue' | 'cancel' | 'stats' | 'dead'>;
  /** The peers that are alive now, and those that fell silent of late: asking one of these fails at once. */
  peers(): readonly PeerHost[];
  readonly bundles: BundleStore;
  readonly images: Images;
  federation(): FederationStatus;
  info(): NodeInfo;
  /** True once the node is leaving: `/healthz` then answers 503. */
  draining(): boolean;
  readonly admin: Admin;
  /** Told of each answer to `/system/*`, for metrics. */
  readonly onAnswer?: (answer: ApiAnswer) => void;
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'after'>;
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
  /** Of all functions of a namespace. */
  keys(namespace: string): readonly FunctionKey[];
  list(namespace: string): Promise<FunctionsAnswer>;
  /** `functions` holds the one function. `not-found`. */
  status(ref: FunctionRef): Promise<FunctionsAnswer>;
  /** Resolves when the wish is kept on disk and calls at this node find the function; the other nodes follow. `exists`. */
  deploy(deployment: FunctionDeployment): Promise<void>;
  /** As `deploy`, for a function that is there. `not-found`. */
  update(deployment: FunctionDeployment): Promise<void>;
  /** With its overrides. `not-found`. */
  remove(ref: FunctionRef): Promise<void>;
  /**
   * Brings the replicas of all nodes together to so many, as far as each node's bounds let it (`autoscaler/shares.ts`); resolves when
   * they are ready. `not-found`; `unavailable` names the nodes that did not get there.
   */
  scale(ref: FunctionRef, replicas: number): Promise<ScaleOutcome>;
  /** As `scale`, to what `wanted` makes of the replicas that there are, of the nodes they are spread over and the function's labels. */
  rescale(
    ref: FunctionRef,
    wanted: (now: ScaledNow, labels: Readonly<Record<string, string>>) => number,
  ): Promise<ScaleOutcome>;
};

/** What runs at all nodes at which a function lives, and which answered. */
export type ScaledNow = { readonly replicas: number; readonly nodes: number };

export type ScaleOutcome = {
  /** At the nodes that were told: as many as were asked for, or as their bounds allow. */
  readonly replicas: number;
  /** Names of the nodes that were not told, because they did not answer: they keep what they have. */
  readonly unreachable: readonly string[];
};

export type FunctionsAnswer = {
  readonly functions: readonly FunctionStatus[];
  /** Names of the nodes whose counts are missing, because they did not answer in time. */
  readonly unreachable: readonly string[];
};

const strings = z.record(z.string().max(512), z.string());

/** What an override says; misspelt members are named. */
export const overrideBody = z
  .strictObject({
    /** Constraints, as in a deployment; all must hold. None: every node. */
    selector: z.array(z.string().max(512)).max(32),
    labels: strings.optional(),
    envVars: strings.optional(),
    limits: z.strictObject({ memory: z.string().optional(), cpu: z.string().optional() }).optional(),
  })
  .refine(
    ({ labels, envVars, limits }) => [labels, envVars, limits].some((part) => Object.keys(part ?? {}).length > 0),
    'it changes nothing: give labels, envVars or limits',
  );

/** How a function differs at some nodes: what it names is added to the deployment there, or replaces what it says. */
export const override = overrideBody.safeExtend({ id: z.string() });

export type Override = z.infer<typeof override>;

/** Overrides of functions of the whole federation. Several that pick the same node apply in the order of their ids. */
export type OverridesService = {
  /** By id. `not-found` when there is no such function. */
  list(ref: FunctionRef): readonly Override[];
  /** `not-found`. */
  get(ref: FunctionRef, id: string): Override;
  /** Writes or replaces; resolves when it is kept on disk. `not-found`; `invalid` for ids, selectors and labels that make no sense; `too-large`. */
  set(ref: FunctionRef, override: Override): Promise<void>;
  /** `not-found`. */
  remove(ref: FunctionRef, id: string): Promise<void>;
};

const map = z.record(z.string(), z.string());

export const functionNamespace = z.object({ name: z.string(), labels: map, annotations: map });

export type FunctionNamespace = z.infer<typeof functionNamespace>;

/** A namespace as clients send it; the name may be in the path instead. */
export const namespaceBody = z.object({
  name: z.string().optional(),
  labels: map.nullish(),
  annotations: map.nullish(),
});

export type NamespaceBody = z.infer<typeof namespaceBody>;

/** Namespaces of the whole federation. */
export type NamespacesService = {
  has(name: string): boolean;
  /** By name; the default one is always there. */
  list(): readonly string[];
  /** `not-found`. */
  get(name: string): FunctionNamespace;
  /** Resolves when it is kept on disk. `exists`, `invalid` for what is no DNS label. */
  create(namespace: FunctionNamespace): Promise<void>;
  /** Replaces labels and annotations. `not-found`. */
  update(namespace: FunctionNamespace): Promise<void>;
  /** With its secrets. `not-found`; `invalid` for the default one and while functions are in it. */
  remove(name: string): Promise<void>;
};

/** A secret as clients send it; `namespace` may be in the query instead. */
export const secretBody = z.object({
  name: z.string().min(1, 'non-empty name is required'),
  namespace: z.string().optional(),
  value: z.string().optional().describe('Text. Not read where `rawValue` is given.'),
  rawValue: z.string().nullish().describe('Base64, of any bytes.'),
});

export type SecretBody = z.infer<typeof secretBody>;

/** What the API may do with secrets: it cannot read them. */
export type SecretsService = Pick<Secrets, 'list' | 'create' | 'update' | 'remove'>;

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
  /** Calls that replicas of this node ran, wherever they entered, since then. */
  servedCount: z.number().min(0).optional(),
  /** CPU of all replicas here in thousandths of a core, and their memory in bytes; absent where it is not measured. */
  usage: z.object({ cpu: z.number().min(0), totalMemoryBytes: z.number().min(0) }).optional(),
  /** Replicas that may be there at least and at most, when they are scaled by hand, and those that it begins with. */
  bounds: z
    .object({ least: z.number().int().min(0), most: z.number().int().min(0), usual: z.number().int().min(0) })
    .optional(),
  /** What it was last asked to be, as this node knows: equal at all nodes that know the same. */
  wish: z.string().max(200).optional(),
  /** That is what runs here, and a call is answered: a replica is ready, or the call starts one. */
  ready: z.boolean().optional(),
  /** Why it is not ready, for people. */
  problem: z.string().max(1_000).optional(),
});

export type NodeFunction = z.infer<typeof nodeFunction>;

/** One node seen as what runs functions: this one, or a peer over its peer listener. */
export type FunctionHost = {
  /** Of the node's identity: no other has it. */
  readonly id: string;
  /** The node's name. */
  readonly name: string;
  /** `unavailable` or any other fault when it cannot be asked. */
  list(signal: AbortSignal): Promise<readonly NodeFunction[]>;
  /** Resolves when that many are ready. `not-found` when the function does not live there. */
  scale(ref: FunctionRef, wish: ScaleWish, signal: AbortSignal): Promise<void>;
  /**
   * What the function's replicas there wrote, oldest first; `instance` is the replica. Goes on until `signal` aborts when
   * `follow` is set. Reading fails when the node cannot be asked.
   */
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
};

/** A peer, asked over its peer listener. */
export type PeerHost = FunctionHost & { readonly queue: QueueHost };

/** How many replicas one node is to have; whether they stay until told otherwise, or are left to the load. */
export type ScaleWish = { readonly replicas: number; readonly held: boolean };

export type LogQuery = FunctionRef & {
  /** Only so many of the newest lines; 0 = all. */
  readonly tail: number;
  /** Only lines that are not older; milliseconds since the epoch. */
  readonly since: number;
  readonly follow: boolean;
  readonly replica?: string;
};

export type LogLine = ReplicaLine;

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
  /** The functions that live there and can be called, as `NAME.NAMESPACE`: a replica is ready, or a call starts one. */
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
  /** What is wrong, in sentences for people; absent when nothing is. */
  problems: z.array(z.string()).optional(),
  /** This node first. */
  members: z.array(federationMember),
});

export type FederationMember = z.infer<typeof federationMember>;
export type FederationStatus = z.infer<typeof federationStatus>;
