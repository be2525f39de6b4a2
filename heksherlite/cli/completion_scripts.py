"""The scripts with which shells complete: those of Click, for values that have commas or go on after a `=`.

Click answers the questions of the scripts, which ask it through the variable ``_HEKSHERLITE_COMPLETE``.
"""

from typing import Final

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete


class _Bash(BashComplete):
    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' line rest word words=() response completion type value prefix
    # Bash takes `=` and `:` for the ends of words. What stands together in the line is one word here.
    line=${COMP_LINE:-${COMP_WORDS[*]}}
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        rest=${line#"${line%%%%[![:space:]]*}"}
        if [[ ${#words[@]} -gt 0 && $rest == "$line" && -n $word ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=${rest#"$word"}
    done
    prefix=${words[-1]%%"$word"}
    response=$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]} - 1)) %(complete_var)s=bash_complete $1)
    for completion in $response; do
        IFS=',' read type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("${value#"$prefix"}")
            [[ $value == *= ]] && compopt -o nospace 2>/dev/null
        fi
    done
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Zsh(ZshComplete):
    source_template = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a words_alone words_described words_begun response
    (( ! $+commands[%(prog_name)s] )) && return 1
    local -x COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1))
    response=("${(@f)$(env %(complete_var)s=zsh_complete %(prog_name)s)}")
    for type key descr in ${response}; do
        if [[ "$type" == "dir" ]]; then
            _path_files -/
        elif [[ "$type" == "file" ]]; then
            _path_files -f
        elif [[ "$type" == "plain" && "$key" == *= ]]; then
            words_begun+=("$key")
        elif [[ "$type" == "plain" && "$descr" == "_" ]]; then
            words_alone+=("$key")
        elif [[ "$type" == "plain" ]]; then
            words_described+=("${key//:/\\\\:}":"$descr")
        fi
    done
    (( $#words_described )) && _describe -V unsorted words_described -U
    (( $#words_alone )) && compadd -U -V unsorted -a words_alone
    (( $#words_begun )) && compadd -U -S '' -V unsorted -a words_begun
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class _Fish(FishComplete):
    source_template = """\
function %(complete_func)s
    set -lx COMP_WORDS (commandline -cp)
    set -lx COMP_CWORD (commandline -t)
    set -l response (env %(complete_var)s=fish_complete %(prog_name)s)
    for completion in $response
        set -l metadata (string split --max 1 "," $completion)
        if test $metadata[1] = "dir"
            __fish_complete_directories $metadata[2]
        else if test $metadata[1] = "file"
            __fish_complete_path $metadata[2]
        else if test $metadata[1] = "plain"
            echo $metadata[2]
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


SCRIPTS: Final[dict[str, type[ShellComplete]]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
"""What writes the script of each shell."""
