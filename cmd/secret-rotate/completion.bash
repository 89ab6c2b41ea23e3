# Completion for bash: source it, or install it as
# /usr/share/bash-completion/completions/secret-rotate. The bash 3 of macOS has no mapfile.
((BASH_VERSINFO[0] >= 4)) || return 0

_secret_rotate() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} i schema
  COMPREPLY=()
  case $before in
    --schema | --dotenv | --records | --metrics)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --dir)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      return
      ;;
    --log-format)
      mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word")
      return
      ;;
    --then)
      mapfile -t COMPREPLY < <(compgen -c -- "$word")
      return
      ;;
    --k8s | --swarm | --keep | --timeout) return ;;
  esac

  if [[ $word == -* && $before != --set ]]; then
    mapfile -t COMPREPLY < <(compgen -W '--schema --dotenv --dir --k8s --swarm --keep --timeout --set --previous
      --drop-previous --dry-run --force --then --rollback --records --overdue --metrics --log-format
      --version --licenses --help' -- "$word")
    return
  fi

  # A variable of the schema. Its default is not read.
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i - 1]} == --schema ]]; then schema=${COMP_WORDS[i]}; fi
  done
  if [[ -f $schema ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(sed -nE 's/^(export +)?([A-Za-z_][A-Za-z0-9_]*)=.*/\2/p' -- "$schema")" -- "$word")
  fi
}

complete -F _secret_rotate secret-rotate
