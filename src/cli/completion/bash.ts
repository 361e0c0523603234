import type { CommandNode } from './command-tree.ts';
import { namedCases, specTable } from './spec-table.ts';

/** A script for bash 3.2 and later. */
export const bashCompletion = (
  root: CommandNode,
): string => `# Completion of skein for bash. Load it with: source <(skein completion bash)

_skein_spec() {
  case $1 in
${specTable(root)}
  esac
}

# Sets wants to the kind of value that option $1 takes; to nothing when it takes none.
_skein_wants() {
  local pair
  wants=
  for pair in $values; do
    if [[ $pair == "$1="* ]]; then wants=\${pair#*=}; fi
  done
}

_skein_reply() {
  local line
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$@" -- "$cur")
}

# Names are asked of the node that the line names; when none answers there are none.
_skein_names() { _skein_reply -W "$("\${COMP_WORDS[0]}" "$@" --quiet \${asked[@]+"\${asked[@]}"} 2>/dev/null)"; }

# Those that are in a namespace, in that of the line.
_skein_names_within() { _skein_names "$@" \${within[@]+"\${within[@]}"}; }

_skein_offer() {
  case $1 in
${namedCases}
    file) compopt -o filenames 2>/dev/null; _skein_reply -f ;;
    dir) compopt -o filenames 2>/dev/null; _skein_reply -d ;;
    words:*) local words=\${1#words:}; _skein_reply -W "\${words//,/ }" ;;
  esac
}

_skein() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path= wants= option= word i kind given=0
  local subs opts values args repeats asked=() within=()
  COMPREPLY=()
  _skein_spec ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    # --option=value comes as three words.
    if [[ $word == '=' ]]; then continue; fi
    if [[ -n $wants ]]; then
      case $option=$wants in
        --gateway=* | --data=dir | --password-file=*) asked+=("$option" "$word") ;;
        --namespace=*) within=("$option" "$word") ;;
      esac
      wants=
    elif [[ $word == -* ]]; then
      option=$word
      _skein_wants "$word"
    elif [[ " $subs " == *" $word "* ]]; then
      path=\${path:+$path }$word
      _skein_spec "$path"
    else
      given=$((given + 1))
    fi
  done
  if [[ $cur == '=' ]]; then cur=; fi
  if [[ -n $wants ]]; then _skein_offer "$wants"; return; fi
  if [[ $cur == -* ]]; then _skein_reply -W "$opts"; return; fi
  if [[ -n $subs ]]; then _skein_reply -W "$subs"; return; fi
  i=0
  for kind in $args; do
    if ((i == given)); then _skein_offer "$kind"; return; fi
    i=$((i + 1))
  done
  if [[ -n $repeats ]]; then _skein_offer "$kind"; fi
}

complete -F _skein skein
`;
