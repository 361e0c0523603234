import { inNamespaces, namedBy, type CommandNode, type OptionNode, type Values } from './command-tree.ts';
import { flatten } from './spec-table.ts';

/** A script for fish 3 and later. */
export const fishCompletion = (
  root: CommandNode,
): string => `# Completion of skein for fish. Load it with: skein completion fish | source
# or keep it as ~/.config/fish/completions/skein.fish

# Options that take a value, which is then no command.
set -g __skein_valued ${valuedOptions(root).join(' ')}
set -g __skein_paths ${flatten(root)
  .filter(({ path }) => path !== '')
  .map(({ path }) => quoted(path))
  .join(' ')}

# The line so far: the command that it names, and then how many arguments it gives.
function __skein_line
    set -l path
    set -l given 0
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- $word $__skein_valued; and set skip 1
        else if contains -- (string join ' ' $path $word) $__skein_paths
            set -a path $word
        else
            set given (math $given + 1)
        end
    end
    echo "$path"
    echo $given
end

function __skein_at
    set -l line (__skein_line)
    test "$line[1]" = "$argv[1]"
end

# With the argument at this position yet to be given; '+' for this one and all after it.
function __skein_arg
    set -l line (__skein_line)
    test "$line[1]" = "$argv[1]"; or return 1
    if string match -q -- '*+' $argv[2]
        test $line[2] -ge (string trim -c + -- $argv[2])
    else
        test $line[2] -eq $argv[2]
    end
end

# Names are asked of the node that the line names; when none answers there are none.
function __skein_names
    set -l words (commandline -opc)
    set -l asked
    for i in (seq 2 (math (count $words) - 1))
        contains -- $words[$i] --gateway --data --password-file; and set -a asked $words[$i] $words[(math $i + 1)]
    end
    set -a asked (string match -r -- '^--(?:gateway|data|password-file)=.*' $words)
    $words[1] $argv --quiet $asked 2>/dev/null
end

# Those that are in a namespace, in that of the line.
function __skein_names_within
    set -l words (commandline -opc)
    set -l within
    for i in (seq 2 (math (count $words) - 1))
        test $words[$i] = --namespace; and set within $words[$i] $words[(math $i + 1)]
    end
    set -a within (string match -r -- '^--namespace=.*' $words)
    __skein_names $argv $within
end

complete -c skein -f
${flatten(root).flatMap(linesOf).join('\n')}
`;

const linesOf = ({ path, commands, options, args, repeats }: CommandNode): readonly string[] => [
  ...commands.map(
    ({ name, about }) => `complete -c skein -n ${quoted(`__skein_at ${quoted(path)}`)} -a ${name} -d ${quoted(about)}`,
  ),
  ...options
    .filter(({ hidden }) => !hidden)
    .map((option) => `complete -c skein -n ${quoted(`__skein_at ${quoted(path)}`)} ${flagsOf(option)}`),
  ...args.flatMap((values, index) => {
    const position = repeats && index === args.length - 1 ? `${index}+` : String(index);
    const offered = offer(values);
    return offered === ''
      ? []
      : [`complete -c skein -n ${quoted(`__skein_arg ${quoted(path)} ${position}`)} ${offered}`];
  }),
];

const flagsOf = ({ names, about, values }: OptionNode): string => {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const value = values === undefined ? [] : ['-r', offer(values)];
  return [...flags, ...value, `-d ${quoted(about)}`].filter((part) => part !== '').join(' ');
};

const offer = (values: Values): string => {
  if (typeof values !== 'string') return `-f -a ${quoted(values.join(' '))}`;
  if (values === 'any') return '';
  if (values === 'file') return '-F';
  if (values === 'dir') return "-f -a '(__fish_complete_directories)'";
  return `-f -a '(${inNamespaces.includes(values) ? '__skein_names_within' : '__skein_names'} ${namedBy[values]})'`;
};

const valuedOptions = (root: CommandNode): readonly string[] => [
  ...new Set(
    flatten(root).flatMap(({ options }) =>
      options.flatMap(({ names, values }) => (values === undefined ? [] : [...names])),
    ),
  ),
];

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
