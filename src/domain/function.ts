import { z } from 'zod';

/**
 * The nouns of the OpenFaaS REST API (faas-provider `types`): what clients send and what they get back. Unknown
 * fields are ignored on input, as OpenFaaS does; field names are OpenFaaS'.
 */

const strings = z.record(z.string(), z.string());

/** Kubernetes quantities (`128Mi`, `100m`). */
const resources = z.object({ memory: z.string().optional(), cpu: z.string().optional() });

const namePattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** A DNS label of at most 63 characters. */
export const functionName = z
  .string()
  .max(63)
  .regex(namePattern, 'must be a DNS label: lower-case letters, digits and hyphens, at most 63');

/** A file's name and nothing more: letters, digits, dots, hyphens and underscores, at most 253; not `.` or `..`. */
export const secretName = z
  .string()
  .min(1, 'non-empty name is required')
  .max(253, 'is longer than 253 characters')
  .refine((name) => !/[/\\]/.test(name) && !/^\.+$/.test(name), 'directory traversal found in name')
  .refine(
    (name) => /^[-._a-zA-Z0-9]*$/.test(name) || /[/\\]/.test(name),
    'must be letters, digits, dots, hyphens and underscores',
  );

/** `FunctionDeployment`: a function as asked for. */
export const functionDeployment = z.object({
  service: functionName,
  image: z.string().min(1, 'is required').max(1024),
  namespace: functionName.or(z.literal('')).optional(),
  envProcess: z.string().optional(),
  envVars: strings.nullish(),
  constraints: z.array(z.string()).nullish(),
  secrets: z.array(z.string()).nullish(),
  labels: strings.nullish(),
  annotations: strings.nullish(),
  limits: resources.nullish(),
  requests: resources.nullish(),
  readOnlyRootFilesystem: z.boolean().optional(),
});

const usage = z.object({ cpu: z.number(), totalMemoryBytes: z.number() });

/** A function at one node. */
const functionAtNode = z.object({
  node: z.string(),
  /**
   * `ready`: what was deployed last answers there. `starting`: it does not yet. `behind`: the node has not heard of it
   * yet. `elsewhere`: it does not live there. `unreachable`: the node did not say.
   */
  state: z.enum(['ready', 'starting', 'behind', 'elsewhere', 'unreachable']),
  replicas: z.number().int(),
  availableReplicas: z.number().int(),
  /** Calls that entered there: over all nodes each is counted once. */
  invocationCount: z.number(),
  /** Calls that replicas of it ran, wherever they entered. */
  servedCount: z.number().default(0),
  usage: usage.optional(),
  /** Why it is not ready, for people. */
  problem: z.string().optional(),
});

export type FunctionAtNode = z.infer<typeof functionAtNode>;

export type FunctionDeployment = z.infer<typeof functionDeployment>;

/** `FunctionStatus`: a function as it is, over all nodes that answered. Counts are sums. */
export const functionStatus = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  image: z.string(),
  envProcess: z.string().optional(),
  envVars: strings.optional(),
  constraints: z.array(z.string()).optional(),
  secrets: z.array(z.string()).optional(),
  labels: strings.nullish(),
  annotations: strings.nullish(),
  limits: resources.optional(),
  requests: resources.optional(),
  readOnlyRootFilesystem: z.boolean().optional(),
  invocationCount: z.number().optional(),
  replicas: z.number().int().optional(),
  availableReplicas: z.number().int().optional(),
  createdAt: z.string().optional(),
  /** CPU in thousandths of a core and memory in bytes, over all replicas; only where it was asked for. */
  usage: usage.optional(),
  /** Only where it was asked for. */
  nodes: z.array(functionAtNode).optional(),
});

export type FunctionStatus = z.infer<typeof functionStatus>;

/** What tells two functions apart. */
export type FunctionRef = { readonly name: string; readonly namespace: string };
