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

# Bash takes a word apart at : and =, and replaces no more than its last part.
_skein_reply() {
  local line
  while IFS= read -r line; do COMPREPLY+=("\${line#"$before"}"); done < <(compgen "$@" -- "$cur")
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

# Sets words to what was typed: http://host:80 and KEY=VALUE are one each, --option=value two.
_skein_words() {
  local i word last=-1 joins=
  words=()
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == '=' && $last -ge 0 && \${words[last]} == --* && \${words[last]} != *=* ]]; then
      if ((i == COMP_CWORD)); then words[++last]=; fi
      joins=
    elif [[ $last -ge 0 && -n $word && -z \${word//[:=]/} ]]; then
      words[last]+=$word
      joins=yes
    elif [[ -n $joins && -n $word ]]; then
      words[last]+=$word
      joins=
    else
      words[++last]=$word
      joins=
    fi
  done
}

_skein() {
  local cur before path= wants= option= word i kind given=0
  local subs opts values args repeats words asked=() within=()
  COMPREPLY=()
  _skein_words
  cur=\${words[\${#words[@]} - 1]}
  before=
  if [[ $cur == *[:=]* ]]; then before=\${cur%"\${cur##*[:=]}"}; fi
  _skein_spec ''
  for ((i = 0; i < \${#words[@]} - 1; i++)); do
    word=\${words[i]}
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
