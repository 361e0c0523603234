/** A package that a file in the folder `from` imports by name. */
export type PackageUse = { readonly name: string; readonly from: string };

const specifier = /^(?<name>(?:@[^/]+\/)?[^./#@][^/]*)(?:\/|$)/;

/** The package that an import specifier names (`@a/b/c` → `@a/b`); undefined for paths, urls and `#imports`. */
export const packageOf = (source: string): string | undefined => {
  if (source.includes(':') || source.startsWith('\0')) return undefined;
  return specifier.exec(source)?.groups?.['name'];
};

const marker = '/node_modules/';

/** The package that the file at an absolute path belongs to; undefined for files outside `node_modules`. */
export const packageOfFile = (file: string): string | undefined => {
  const path = file.replaceAll('\\', '/');
  const at = path.lastIndexOf(marker);
  return at < 0 ? undefined : packageOf(path.slice(at + marker.length));
};
