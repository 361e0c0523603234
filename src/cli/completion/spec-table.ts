import { inNamespaces, namedBy, type CommandNode, type Named, type Values } from './command-tree.ts';

/** How the scripts of bash and zsh write what a value may be: one word without blanks. */
const kindOf = (values: Values): string => (typeof values === 'string' ? values : `words:${values.join(',')}`);

/**
 * A `case` of shell that sets, for the command whose path is `$1`: `subs`, `opts`, `values` (`OPTION=KIND`), `args` (a kind for
 * each position) and `repeats`.
 */
export const specTable = (root: CommandNode): string =>
  flatten(root)
    .map(({ path, commands, options, args, repeats }) => {
      const valued = options.flatMap(({ names, values }) =>
        values === undefined ? [] : names.map((name) => `${name}=${kindOf(values)}`),
      );
      const fields = {
        subs: commands.map(({ name }) => name),
        opts: options.filter(({ hidden }) => !hidden).flatMap(({ names }) => names),
        values: valued,
        args: args.map(kindOf),
        repeats: repeats ? ['yes'] : [],
      };
      const lines = Object.entries(fields).map(([name, words]) => `      ${name}='${words.join(' ')}'`);
      return [`    '${path}')`, ...lines, '      ;;'].join('\n');
    })
    .join('\n');

/** Cases of a `case` of shell that offer the names of what a node knows. */
export const namedCases = (Object.keys(namedBy) as Named[])
  .map(
    (kind) =>
      `    ${kind}) ${inNamespaces.includes(kind) ? '_skein_names_within' : '_skein_names'} ${namedBy[kind]} ;;`,
  )
  .join('\n');

export const flatten = (node: CommandNode): readonly CommandNode[] => [node, ...node.commands.flatMap(flatten)];
