declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A node's identity: the libp2p peer id of its Ed25519 key (`12D3Koo…`). Names are for people; this is who it is. */
export type NodeId = Branded<string, 'NodeId'>;

/** `NAME.NAMESPACE`: the form in which functions are keyed everywhere inside Skein. */
export type FunctionKey = Branded<string, 'FunctionKey'>;

/** The sha256 of a bundle's bytes, as `sha256:` and 64 hexadecimal digits. */
export type Digest = Branded<string, 'Digest'>;

export const nodeId = (text: string): NodeId => text as NodeId;

export const defaultNamespace = 'openfaas-fn';

export const functionKey = (name: string, namespace: string = defaultNamespace): FunctionKey =>
  `${name}.${namespace}` as FunctionKey;

/** Splits at the last dot, as OpenFaaS does. */
export const splitFunctionKey = (key: FunctionKey): { readonly name: string; readonly namespace: string } => {
  const dot = key.lastIndexOf('.');
  return { name: key.slice(0, dot), namespace: key.slice(dot + 1) };
};

const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** The digest that `text` spells, or undefined when it spells none. */
export const parseDigest = (text: string): Digest | undefined =>
  digestPattern.test(text) ? (text as Digest) : undefined;
