import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SkeinError } from '../domain/errors.ts';
import { nodeId, type NodeId } from '../domain/ids.ts';
import { loadOrCreateSecret } from './secret-file.ts';

/** Who a node is: an Ed25519 key pair, and the name that follows from its public half. */
export type Identity = {
  readonly id: NodeId;
  readonly privateKey: KeyObject;
  /** 32 bytes in hexadecimal. */
  readonly publicKeyHex: string;
};

/**
 * The identity kept in `file` as PKCS#8 PEM, the form that `openssl genpkey -algorithm ED25519` and DFaaS write; a new
 * one is made when the file is not there. `invalid` when others may read it or it holds anything else.
 */
export const loadOrCreateIdentity = async (file: string): Promise<Identity> => {
  const pem = await loadOrCreateSecret(file, "the node's identity", () => pemOf(createIdentity()));
  return identityOf(parseKey(pem, file));
};

/** A fresh identity that is kept nowhere. */
export const createIdentity = (): Identity => identityOf(generateKeyPairSync('ed25519').privateKey);

/** The node that holds this Ed25519 public key (32 bytes in hexadecimal). */
export const nodeIdOfPublicKey = (publicKeyHex: string): NodeId => {
  if (!/^[0-9a-f]{64}$/.test(publicKeyHex)) {
    throw new SkeinError('invalid', 'an Ed25519 public key is 64 lower-case hexadecimal digits');
  }
  return nodeId(base58(prefix + publicKeyHex));
};

/** The public key that `id` was made from, in hexadecimal; undefined when `id` is no id of an Ed25519 key. */
export const publicKeyOfNodeId = (id: string): string | undefined => {
  const hex = id.length <= 64 ? fromBase58(id) : undefined;
  if (hex?.length !== prefix.length + 64 || !hex.startsWith(prefix)) return undefined;
  return hex.slice(prefix.length);
};

/** Multihash "identity" of 36 bytes, which are a protobuf: key type 1 (Ed25519), then 32 bytes of key. */
const prefix = '002408011220';

const identityOf = (privateKey: KeyObject): Identity => {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  const publicKeyHex = Buffer.from(x ?? '', 'base64url').toString('hex');
  return { id: nodeIdOfPublicKey(publicKeyHex), privateKey, publicKeyHex };
};

const pemOf = ({ privateKey }: Identity): string => privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const parseKey = (pem: string, file: string): KeyObject => {
  const advice = `put the PEM of an Ed25519 key there ("openssl genpkey -algorithm ED25519"), or remove ${file} and let a new identity be made`;
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new SkeinError('invalid', `${file} holds no private key: ${advice}`, { cause: error });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new SkeinError('invalid', `${file} holds a key of type ${key.asymmetricKeyType}: ${advice}`);
  }
  return key;
};

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** base58btc of bytes given in hexadecimal; each leading zero byte is a `1`. */
const base58 = (hex: string): string => {
  let text = '';
  for (let rest = BigInt(`0x${hex}`); rest > 0n; rest /= 58n) text = alphabet.charAt(Number(rest % 58n)) + text;
  const zeros = /^(?:00)*/.exec(hex)?.[0].length ?? 0;
  return '1'.repeat(zeros / 2) + text;
};

const fromBase58 = (text: string): string | undefined => {
  let value = 0n;
  for (const character of text) {
    const digit = alphabet.indexOf(character);
    if (digit === -1) return undefined;
    value = value * 58n + BigInt(digit);
  }
  const zeros = /^1*/.exec(text)?.[0].length ?? 0;
  const hex = value === 0n ? '' : value.toString(16);
  return '00'.repeat(zeros) + (hex.length % 2 === 0 ? hex : `0${hex}`);
};
