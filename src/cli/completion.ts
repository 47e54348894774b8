/** `latticegate completion bash|zsh|fish`, `completion words -- WORD ...` */
import { Refusal } from "../kernel/refusal.ts";
import type { Command } from "./command.ts";
import { completionsOf, filesInstead } from "./completions-of.ts";

/** They know nothing of the commands: they ask the program that is installed, and so can't be out of date. */
const scripts = {
  bash: `# latticegate: in ~/.bashrc: source <(latticegate completion bash)
_latticegate() {
  local part word rest cut line=\${COMP_LINE:0:COMP_POINT} last=-1
  local -a words=()
  # Bash parts words at colons, which SPIFFE IDs have: they are put together again.
  for part in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    if [[ $last == -1 || $line == [[:blank:]]* ]]; then words[++last]=$part; else words[last]+=$part; fi
    line=\${line#"\${line%%[![:blank:]]*}"}
    line=\${line#"$part"}
  done
  part=\${COMP_WORDS[COMP_CWORD]}
  [[ $part == [:=]* ]] && part=
  cut=\${words[last]%"$part"}
  COMPREPLY=()
  while IFS=$'\\t' read -r word rest; do
    if [[ $word == ${filesInstead} ]]; then compopt -o default
    elif [[ -n $word ]]; then COMPREPLY+=("\${word#"$cut"}")
    fi
  done < <(latticegate completion words -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _latticegate latticegate
`,
  zsh: `#compdef latticegate
# latticegate: in ~/.zshrc, after compinit: source <(latticegate completion zsh)
_latticegate() {
  local word rest
  local -a found
  while IFS=$'\\t' read -r word rest; do
    if [[ $word == ${filesInstead} ]]; then _files
    elif [[ -n $word ]]; then found+=("\${word//:/\\\\:}:$rest")
    fi
  done < <(latticegate completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && _describe latticegate found
}
compdef _latticegate latticegate
`,
  fish: `# latticegate: latticegate completion fish > ~/.config/fish/completions/latticegate.fish
function __latticegate_words
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  for line in (latticegate completion words -- $before[2..-1] "$current" 2>/dev/null)
    if test "$line" = ${filesInstead}
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete -c latticegate -f -a '(__latticegate_words)'
`,
} as const;

export const completion = {
  options: {},
  run: (call) => {
    const [shell, ...more] = call.positionals;
    const name = (["bash", "zsh", "fish"] as const).find((each) => each === shell);
    if (name === undefined || more.length > 0)
      throw new Refusal("bad_config", "Name one shell: bash, zsh or fish.");
    call.out(scripts[name].trimEnd());
    return Promise.resolve(0);
  },
} as const satisfies Command;

export const completionWords = {
  options: {},
  run: async (call) => {
    for (const { word, says } of await completionsOf(call.rest))
      call.out(says === "" ? word : `${word}\t${says}`);
    return 0;
  },
} as const satisfies Command;
