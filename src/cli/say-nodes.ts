import type { FunctionAtNode } from '../domain/function.ts';

/** How a function is at some nodes, in one line; nodes of which the same is to be said are named together. */
export const sayNodes = (nodes: readonly FunctionAtNode[]): string => {
  const groups = new Map<string, string[]>();
  for (const node of nodes) {
    const how = sayOne(node);
    groups.set(how, [...(groups.get(how) ?? []), node.node]);
  }
  return [...groups].map(([how, names]) => `${names.join(', ')} ${how}`).join('; ');
};

const sayOne = ({ state, replicas, availableReplicas, problem }: FunctionAtNode): string => {
  const how = state === 'starting' && replicas > 0 ? `starting, ${availableReplicas} of ${replicas}` : state;
  return problem === undefined ? how : `${how}: ${problem}`;
};
