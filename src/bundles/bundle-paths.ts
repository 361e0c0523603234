import { SkeinError } from '../domain/errors.ts';

const maxPathBytes = 1024;
/** What usual file systems take for one name. */
const maxNameBytes = 255;

/**
 * A path inside a bundle, in its one spelling: names joined by `/`, without a leading `./` or a slash at the end.
 * `invalid` for everything that could mean a place outside, or another place on another system.
 */
export const bundlePath = (text: string): string => {
  if (text.startsWith('/')) throw invalid(text, 'is absolute');
  const path = text.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
  if (path === '' || path === '.') return '';
  const names = path.split('/');
  if (names.includes('..')) throw invalid(text, 'leads out of the bundle');
  if (names.some((name) => name === '' || name === '.')) throw invalid(text, 'has an empty part');
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  if (/[\u0000-\u001F\u007F\\]/.test(path)) throw invalid(text, 'has a control character or a backslash');
  if (Buffer.byteLength(path) > maxPathBytes) throw invalid(text, `is longer than ${maxPathBytes} bytes`);
  if (names.some((name) => Buffer.byteLength(name) > maxNameBytes)) {
    throw invalid(text, `has a part longer than ${maxNameBytes} bytes`);
  }
  return path;
};

type Place = { readonly kind: 'file' | 'folder'; readonly spelling: string };

/**
 * The places of one bundle that are taken. Two spellings of a name that some file systems do not tell apart count as
 * one place, so that a bundle means the same everywhere.
 */
export class BundlePaths {
  readonly #places = new Map<string, Place>();
  readonly #limit: number;

  /** Takes at most `limit` files and folders; more are `too-large`. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a place that `bundlePath` spelled, and the folders above it. `invalid` when something else is there. */
  take(path: string, kind: 'file' | 'folder'): void {
    for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
      this.#takeFolder(path.slice(0, slash), path);
    }
    if (kind === 'folder') this.#takeFolder(path, path);
    else if (this.#places.has(fold(path))) throw invalid(path, 'is there twice, at least on some file systems');
    else this.#add(path, 'file');
  }

  has(path: string, kind: 'file' | 'folder'): boolean {
    const place = this.#places.get(fold(path));
    return place?.kind === kind && place.spelling === path;
  }

  #takeFolder(folder: string, path: string): void {
    const place = this.#places.get(fold(folder));
    if (place === undefined) this.#add(folder, 'folder');
    else if (place.kind === 'file') throw invalid(path, 'is both a file and a folder');
    else if (place.spelling !== folder) throw invalid(path, 'is there twice, at least on some file systems');
  }

  #add(path: string, kind: 'file' | 'folder'): void {
    if (this.#places.size >= this.#limit) {
      throw new SkeinError('too-large', `A bundle holds at most ${this.#limit} files and folders.`);
    }
    this.#places.set(fold(path), { kind, spelling: path });
  }
}

const fold = (path: string): string => path.normalize('NFC').toLowerCase();

const invalid = (path: string, what: string): SkeinError =>
  new SkeinError('invalid', `The path ${JSON.stringify(path.slice(0, 200))} in the bundle ${what}.`);
