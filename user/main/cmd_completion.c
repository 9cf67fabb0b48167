/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt completion: the scripts that have a shell ask shunt complete. */
#include <string.h>

#include "main/commands.h"

/* bash breaks words at colons and equals signs, and replaces what is behind the last. */
static const char bash_script[] =
	"# bash completion of shunt; \"shunt completion bash\" prints it.\n"
	"_shunt() {\n"
	"  local line=${COMP_LINE:0:COMP_POINT} text words cut\n"
	"  read -ra words <<<\"$line\"\n"
	"  [[ $line != *[[:space:]] ]] || words+=('')\n"
	"  while [[ ${#words[@]} -gt 1 && ${words[0]} != \"$1\" ]]; do words=(\"${words[@]:1}\"); "
	"done\n"
	"  cut=${words[-1]%\"${words[-1]##*[:=]}\"}\n"
	"  COMPREPLY=()\n"
	"  while IFS=$'\\t' read -r text _; do\n"
	"    if [[ -z $text ]]; then\n"
	"      compopt -o filenames\n"
	"      mapfile -t COMPREPLY < <(compgen -f -- \"${words[-1]}\")\n"
	"    else\n"
	"      COMPREPLY+=(\"${text#\"$cut\"}\")\n"
	"    fi\n"
	"  done < <(\"$1\" complete -- \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _shunt shunt\n";

static const char zsh_script[] =
	"#compdef shunt\n"
	"# zsh completion of shunt; \"shunt completion zsh\" prints it.\n"
	"_shunt() {\n"
	"  local line text about\n"
	"  local -a found typed\n"
	"  typed=(\"${(@)words[2,CURRENT-1]}\" \"$PREFIX\")\n"
	"  for line in \"${(@f)$(\"$words[1]\" complete -- \"${(@)typed}\" 2>/dev/null; print -n "
	"x)}\"; do\n"
	"    [[ $line == x ]] && continue\n"
	"    text=${line%%$'\\t'*} about=${line#*$'\\t'}\n"
	"    if [[ -z $text ]]; then _files; return; fi\n"
	"    found+=(\"${text//:/\\\\:}${about:+:$about}\")\n"
	"  done\n"
	"  (( $#found )) && _describe shunt found\n"
	"}\n"
	"if [[ $funcstack[1] == _shunt ]]; then _shunt \"$@\"; else compdef _shunt shunt; fi\n";

static const char fish_script[] =
	"# fish completion of shunt; \"shunt completion fish\" prints it.\n"
	"function __shunt_complete\n"
	"    set -l typed (commandline -opc)\n"
	"    set -l program $typed[1]\n"
	"    set -e typed[1]\n"
	"    set -l found ($program complete -- $typed (commandline -ct) 2>/dev/null)\n"
	"    if test (count $found) -eq 1 -a -z \"$found\"\n"
	"        __fish_complete_path (commandline -ct)\n"
	"    else\n"
	"        string join \\n -- $found\n"
	"    end\n"
	"end\n"
	"complete -c shunt -f -a '(__shunt_complete)'\n";

static const struct {
	const char *shell, *script;
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	size_t i;

	(void)argc;
	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		if (strcmp(argv[0], scripts[i].shell) != 0)
			continue;
		fputs(scripts[i].script, cli->out);
		return CLI_DONE;
	}
	return cli_misused("there is no completion for \"%s\"; bash, zsh and fish have one",
			   argv[0]);
}

const struct command command_completion = {
	.name = "completion",
	.arguments = "bash|zsh|fish",
	.summary = "a script that lets a shell complete what shunt takes",
	.help = "Commands, options, and the names of services and backends, for which the daemon "
		"is asked. make install puts the scripts where the shells look for them; otherwise "
		"let the shell read them when it starts, as below.\n",
	.examples = "source <(shunt completion bash)   # in ~/.bashrc, ~/.zshrc\n"
		    "shunt completion fish | source    # in ~/.config/fish/config.fish",
	.group = CLI_GROUP_SELF,
	.min_args = 1,
	.max_args = 1,
	.kinds = {CLI_WORDS},
	.words = "bash zsh fish",
	.run = run,
};
