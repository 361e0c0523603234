import type { BundleStore } from '../bundles/bundle-store.ts';
import { parseImage } from '../bundles/image.ts';
import { SkeinError } from '../domain/errors.ts';
import type { Digest } from '../domain/ids.ts';
import { keys } from '../catalogue/record.ts';
import type { ImageValue } from '../catalogue/record.ts';
import { asImage } from '../catalogue/values.ts';
import type { CatalogueAccess, Images } from './needs.ts';

const maxTagLength = 256;

/** `NAME:TAG` in full: a name without a tag means `latest`. `invalid` when `text` cannot name a bundle. */
export const taggableName = (text: string): string => {
  const image = text.length <= maxTagLength ? parseImage(text) : undefined;
  if (image !== undefined && image.digest === undefined) return `${image.name}:${image.tag}`;
  throw new SkeinError('invalid', `invalid reference format: ${JSON.stringify(text.slice(0, 100))} is no NAME:TAG`);
};

/** Image names as records of the catalogue. */
export const createImages = (catalogue: CatalogueAccess, bundles: Pick<BundleStore, 'has'>): Images => {
  const list = () =>
    catalogue.list(keys.image('')).map((record) => ({
      image: record.key.slice(keys.image('').length),
      digest: asImage(record).digest,
    }));

  /** A digest needs no name, but somebody must have what it stands for. */
  const pinned = async (digest: Digest): Promise<Digest | undefined> =>
    (await bundles.has(digest)) || list().some((named) => named.digest === digest) ? digest : undefined;

  return {
    resolve: async (text) => {
      const image = parseImage(text);
      if (image === undefined) return undefined;
      if (image.digest !== undefined) return pinned(image.digest);
      const record = catalogue.get(keys.image(`${image.name}:${image.tag}`));
      return record && asImage(record).digest;
    },
    tag: async (text, digest) => {
      const value: ImageValue = { digest };
      await catalogue.put(keys.image(taggableName(text)), value);
    },
    list,
  };
};
