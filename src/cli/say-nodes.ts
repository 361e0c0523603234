import type { FunctionAtNode } from '../domain/function.ts';

/** `node-1, node-2 HOW; node-3 OTHERWISE`: what is to be said of some nodes; those of which it is the same are named together. */
export const sayNodes = (nodes: readonly FunctionAtNode[], how: (node: FunctionAtNode) => string): string => {
  const groups = new Map<string, string[]>();
  for (const node of nodes) groups.set(how(node), [...(groups.get(how(node)) ?? []), node.node]);
  return [...groups].map(([said, names]) => `${names.toSorted().join(', ')}${said}`).join('; ');
};
