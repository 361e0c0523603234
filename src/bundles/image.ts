import { SkeinError } from '../domain/errors.ts';
import { type Digest, parseDigest } from '../domain/ids.ts';

/**
 * What a deployment's `image` names: a bundle by name and tag, perhaps with a registry and a path in front
 * (`figlet`, `team/figlet:1.2`, `registry.example:5000/team/figlet@sha256:…`).
 */
export type Image = {
  /** Everything before the tag. */
  readonly name: string;
  /** `latest` when the text has none. */
  readonly tag: string;
  /** Given when the text pins one; then the tag says nothing. */
  readonly digest?: Digest;
};

const part = '[a-z0-9]+(?:(?:[.]|_{1,2}|-+)[a-z0-9]+)*';
const host = '(?:localhost|[a-zA-Z0-9-]+(?:[.][a-zA-Z0-9-]+)+|[a-zA-Z0-9-]+(?=:\\d))(?::\\d{1,5})?';
const pattern = new RegExp(
  `^(?<name>(?:${host}/)?${part}(?:/${part})*)(?::(?<tag>\\w[\\w.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$`,
);
const maxLength = 512;

/** The image that `text` names, or undefined when it is no image name. */
export const parseImage = (text: string): Image | undefined => {
  const groups = text.length <= maxLength ? pattern.exec(text)?.groups : undefined;
  if (groups?.['name'] === undefined) return undefined;
  const digest = parseDigest(groups['digest'] ?? '');
  return { name: groups['name'], tag: groups['tag'] ?? 'latest', ...(digest === undefined ? {} : { digest }) };
};

/** The one spelling under which an image is kept: `NAME:TAG`, or `NAME@sha256:…` when it is pinned. `invalid`. */
export const normaliseImage = (text: string): string => {
  const image = parseImage(text);
  if (image === undefined) {
    throw new SkeinError('invalid', `${JSON.stringify(text)} is no image name: write NAME, NAME:TAG or NAME@sha256:….`);
  }
  return image.digest === undefined ? `${image.name}:${image.tag}` : `${image.name}@${image.digest}`;
};
