/** Where a gateway answers for a function. */
export const functionPath = (name: string, namespace?: string): string =>
  `/function/${encodeURIComponent(namespace === undefined ? name : `${name}.${namespace}`)}`;
