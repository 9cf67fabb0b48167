#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every block of README.md and docs/ says at its head what it is, and for each that is to be typed or configured there
# is a story that takes it; links lead to pages and headings that there are.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# kinds STORY: "sh" and "yaml" blocks that it has a function for, sh_KIND, yaml_KIND.
kinds() { sed -nE 's/^(sh|yaml)_([a-z]+)\(\).*/\1 \2/p' "tests/e2e/$1.sh" 2>/dev/null; }
common=$(kinds docs_commands | sed 's/^sh balancer$/sh/; s/^yaml whole$/yaml/')
machine=$(kinds new_user)

# taken PAGE HEAD: a story takes blocks with this head on this page.
taken() {
  case $2 in
  text | "backends "*) return 0 ;;
  python) [ "$1" = docs/netlink.md ] && return 0 ;;
  esac
  case $1 in
  docs/getting-started.md) grep -qxF "$2" <<<"$machine" || [ "$2" = yaml ] ;;
  docs/methods.md) grep -qxF "$2" <<<"$common" || grep -qE '^sh (backend|kernel|balancer) ' <<<"$2" ;;
  *) grep -qxF "$2" <<<"$common" || { [ "$2" = "sh machine" ] && grep -qxF "$2" <<<"$machine"; } ;;
  esac
}

# heads PAGE: "LINE HEAD" of each block.
heads() { awk '/^ *```/ { if (!on) print NR, substr($0, index($0, "```") + 3); on = !on }' "$1"; }

# typed PAGE: lines of blocks of text that look as if they were to be typed.
typed() {
  awk '/^```/ { on = !on && $0 == "```text"; next }
    on && /^[$#]? ?(sudo|shuntd?|shunt-decap|ip|sysctl|systemctl|journalctl|apt|ethtool|curl|make|modprobe) / {
      print FILENAME ":" FNR ": a command in a block of text: " $0 }' "$1"
}

# headings PAGE: as links name them.
headings() { sed -nE 's/^#+ //p' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'; }

# linked PAGE: links within the tree that lead nowhere.
linked() {
  local page=$1 link line to
  grep -noE '\]\([^)]*\)' "$page" | sed -E 's/:\]\(/ /; s/\)$//' | while read -r line link; do
    case $link in http*) continue ;; esac
    to=${link%%#*}
    to=${to:+$(dirname "$page")/$to}
    to=${to:-$page}
    if [ ! -e "$to" ]; then
      echo "$page:$line: no $link"
    elif [[ $link = *"#"* ]] && ! headings "$to" | grep -qxF -- "${link#*#}"; then
      echo "$page:$line: no heading for $link"
    fi
  done
}

{
  files README.md 'docs/*.md' | while read -r page; do
    heads "$page" | while read -r line head; do
      taken "$page" "$head" || echo "$page:$line: no story takes a block \"$head\": tests/e2e/docs_commands.sh says which there are"
    done
    typed "$page"
    linked "$page"
    [ "$page" = README.md ] || [ "$page" = docs/README.md ] || grep -qF "](${page#docs/})" docs/README.md ||
      echo "$page: is not in docs/README.md"
  done
} | offences
