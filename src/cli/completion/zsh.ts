import { flatten, namedCases, specTable } from './spec-table.ts';
import type { CommandNode } from './command-tree.ts';

/** A script for zsh, which shows what commands and options are for. */
export const zshCompletion = (root: CommandNode): string => `#compdef skein
# Completion of skein for zsh. Load it with: source <(skein completion zsh)
# or keep it as _skein in a folder of $fpath.

_skein_spec() {
  case $1 in
${specTable(root)}
  esac
}

# Sets about to NAME:DESCRIPTION of commands and options.
_skein_about() {
  case $1 in
${aboutTable(root)}
  esac
}

_skein_names() {
  local -a found
  found=(\${(f)"$($words[1] "$@" --quiet $asked 2>/dev/null)"})
  compadd -a found
}

# Those that are in a namespace, in that of the line.
_skein_names_within() { _skein_names "$@" $within }

_skein_offer() {
  case $1 in
${namedCases}
    file) _files ;;
    dir) _files -/ ;;
    words:*) compadd -- \${(s:,:)\${1#words:}} ;;
  esac
}

_skein() {
  local here='' wants='' option='' word pair kind
  local subs opts values args repeats
  local -a asked within about
  local -i i given=0
  _skein_spec ''
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ -n $wants ]]; then
      case $option=$wants in
        --gateway=*|--data=dir|--password-file=*) asked+=($option $word) ;;
        --namespace=*) within=($option $word) ;;
      esac
      wants=''
    elif [[ $word == -*=* ]]; then
      case $word in
        --gateway=*|--password-file=*) asked+=($word) ;;
        --data=*) if [[ " $values " == *' --data=dir '* ]]; then asked+=($word); fi ;;
        --namespace=*) within=($word) ;;
      esac
    elif [[ $word == -* ]]; then
      option=$word
      for pair in \${=values}; do
        if [[ $pair == $word=* ]]; then wants=\${pair#*=}; fi
      done
    elif [[ " $subs " == *" $word "* ]]; then
      here=\${here:+$here }$word
      _skein_spec $here
    else
      given+=1
    fi
  done
  if [[ -n $wants ]]; then _skein_offer $wants; return; fi
  _skein_about $here
  if [[ $words[CURRENT] == -* ]]; then
    about=(\${(M)about:#-*})
    _describe -o option about
    return
  fi
  if [[ -n $subs ]]; then
    about=(\${about:#-*})
    _describe command about
    return
  fi
  i=0
  for kind in \${=args}; do
    if ((i == given)); then _skein_offer $kind; return; fi
    i+=1
  done
  if [[ -n $repeats ]]; then _skein_offer $kind; fi
}

if [[ $funcstack[1] == _skein ]]; then _skein "$@"; else compdef _skein skein; fi
`;

const aboutTable = (root: CommandNode): string =>
  flatten(root)
    .map(({ path, commands, options }) => {
      const lines = [
        ...commands.map(({ name, about }) => `${name}:${about}`),
        ...options
          .filter(({ hidden }) => !hidden)
          .flatMap(({ names, about }) => names.map((name) => `${name}:${about}`)),
      ];
      return `    '${path}') about=(\n${lines.map((line) => `      ${quoted(line)}`).join('\n')}\n    ) ;;`;
    })
    .join('\n');

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
