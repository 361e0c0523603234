import { parseSync } from 'rolldown/utils';

type Node = { readonly type: string; readonly [key: string]: unknown };

/**
 * What the source of a handler tells of how it wants to be called: `event` when it takes `(event, context)`, as in
 * OpenFaaS' Node templates, else `auto`, which leaves it to the runtime.
 */
export const handlerKind = (file: string, source: string): 'auto' | 'event' => {
  const body = parseSync(file, source).program.body as unknown as readonly Node[];
  const parameters = body
    .map((statement) => parametersOf(exportedBy(statement), body))
    .find((list) => list !== undefined);
  if (parameters === undefined) return 'auto';
  const [first] = parameters;
  const isEvent = first?.type === 'Identifier' && first['name'] === 'event';
  return parameters.length > 1 || isEvent ? 'event' : 'auto';
};

/** The expression or declaration that a statement exports as the handler. */
const exportedBy = (statement: Node): Node | undefined => {
  if (statement.type === 'ExportDefaultDeclaration') return statement['declaration'] as Node;
  if (statement.type === 'ExportNamedDeclaration') return named(statement['declaration'] as Node | null, 'handler');
  if (statement.type !== 'ExpressionStatement') return undefined;
  const expression = statement['expression'] as Node;
  const isExport = expression.type === 'AssignmentExpression' && isModuleExports(expression['left'] as Node);
  return isExport ? (expression['right'] as Node) : undefined;
};

/** `module.exports`, `module.exports.handler` or `exports.handler`. */
const isModuleExports = (left: Node): boolean => {
  const path = memberPath(left);
  return path === 'module.exports' || path === 'module.exports.handler' || path === 'exports.handler';
};

const memberPath = (node: Node): string | undefined => {
  if (node.type === 'Identifier') return node['name'] as string;
  if (node.type !== 'MemberExpression' || node['computed'] === true) return undefined;
  const object = memberPath(node['object'] as Node);
  return object === undefined ? undefined : `${object}.${(node['property'] as Node)['name'] as string}`;
};

/** The parameters of a function, given itself or by the name of one declared at the top. */
const parametersOf = (node: Node | undefined, body: readonly Node[]): readonly Node[] | undefined => {
  if (node === undefined) return undefined;
  if (Array.isArray(node['params'])) return node['params'] as readonly Node[];
  if (node.type !== 'Identifier') return undefined;
  const declared = body.map((statement) => named(statement, node['name'] as string)).find((one) => one !== undefined);
  return Array.isArray(declared?.['params']) ? (declared['params'] as readonly Node[]) : undefined;
};

/** What `declaration` declares under `name`. */
const named = (declaration: Node | null, name: string): Node | undefined => {
  if (declaration?.type === 'FunctionDeclaration') {
    return (declaration['id'] as Node)['name'] === name ? declaration : undefined;
  }
  if (declaration?.type !== 'VariableDeclaration') return undefined;
  const declarators = declaration['declarations'] as readonly Node[];
  const declarator = declarators.find((one) => (one['id'] as Node)['name'] === name);
  return (declarator?.['init'] as Node | null | undefined) ?? undefined;
};
