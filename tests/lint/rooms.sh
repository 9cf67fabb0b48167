#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each folder has words that do not belong there, and includes go down only:
# base < pure < io < engine < main.  Comments and strings may say what they like.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# strip FILE...: copies into $bare, without comments and without the inside of strings but in #include.
strip() {
  local f
  for f; do
    mkdir -p "$bare/${f%/*}"
    perl -0777 -pe '
      s{^\h*\#\h*include[^\n]*(*SKIP)(*FAIL)|"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*}
       {my $t = $&; my $n = $t =~ tr/\n//; ($t =~ /^"/ ? "\"\"" : " ") . "\n" x $n}gmsex' "$f" >"$bare/$f"
  done
}

# never WHAT REGEX FILE...
never() {
  local what=$1 regex=$2
  shift 2
  [ $# -gt 0 ] || return
  (cd "$bare" && grep -nHP "$regex" "$@") | grep -v '^[^:]*:[0-9]*:\s*#\s*include' |
    sed "s|^\([^:]*:[0-9]*\):\s*|\1: $what: |"
}

# includes WHAT REGEX FILE...: the same in #include lines only.
includes() {
  local what=$1 regex=$2 f
  shift 2
  for f; do
    grep -nP "^\s*#\s*include\s*$regex" "$f" | sed "s|^\([0-9]*\):\s*|$f:\1: $what: |"
  done
}

but() { grep -vE "$1" || true; }
floor() { case $1 in base) echo 0 ;; pure) echo 1 ;; io) echo 2 ;; engine) echo 3 ;; *) echo 4 ;; esac }

# A line "FILE LINE FOLDER HEADER" for every include of one floor by another file of user/.
inclusions() {
  grep -nHoP '^\s*#\s*include\s*"\K(base|pure|io|engine|main)/[^"]+' "$@" |
    sed 's|^\([^:]*\):\([0-9]*\):\([a-z]*\)/\(.*\)$|\1 \2 \3 \4|'
}

floors() {
  local file line folder header own
  inclusions "$@" | while read -r file line folder header; do
    own=${file#user/} own=${own%%/*}
    if [ "$(floor "$folder")" -gt "$(floor "$own")" ]; then
      echo "$file:$line: $own includes upward: $folder/$header"
    elif [ "$own$folder" = ioio ]; then
      # dp_attach.c and dp.h are one module, dp and nl are two.
      own=${file##*/} own=${own%%[._]*}
      [ "$own" = "${header%%[._]*}" ] || echo "$file:$line: io module $own includes another's io/$header"
    fi
  done
}

mapfile -t pure < <(files 'user/pure/*.[ch]')
mapfile -t io < <(files 'user/io/*.[ch]')
mapfile -t engine < <(files 'user/engine/*.[ch]')
mapfile -t user < <(files 'user/*.[ch]')
mapfile -t not_dp < <(files 'user/*.[ch]' | but '^user/io/(dp[^/]*|decap[^/]*)\.[ch]$')
mapfile -t not_nl < <(files 'user/*.[ch]' | but '^user/io/nl[^/]*\.[ch]$')
mapfile -t bpf < <(files 'bpf/*.[ch]')
mapfile -t not_finish < <(files 'bpf/*.[ch]' | but '^bpf/(finish\.h|entry\.bpf\.c|path\.bpf\.c|decap[^/]*)$')
mapfile -t quiet < <(files 'user/base/*.[ch]' 'user/pure/*.[ch]' 'user/io/*.[ch]' 'user/engine/*.[ch]' |
  but '^user/base/log\.[ch]$')
bare=$(mktemp -d) || exit 1
trap 'rm -rf "$bare"' EXIT
strip "${user[@]}" "${bpf[@]}"
{
  never 'floor 1 never reads errno' '\berrno\b' "${pure[@]}"
  never 'floor 1 has no clock' '\b(time|clock_gettime|gettimeofday|mono_now\w*)\s*\(' "${pure[@]}"
  never 'floor 1 has no socket' '\b(socket|connect|bind|send|recv|sendto|recvmsg|sendmsg)\s*\(' "${pure[@]}"
  never 'floors 1 and 2 do not log' '\blog_\w+\s*\(' "${pure[@]}" "${io[@]}"
  never 'only mains print' '(?<![\w>.])(v?f?printf|puts|fputs|perror|putchar)\s*\(' "${quiet[@]}"
  never 'only mains exit' '(?<![\w>.])(exit|err|errx|abort)\s*\(' "${quiet[@]}"
  never 'byte order is for floor 2' '\b(hton[sl]|ntoh[sl]|htobe\d+|be\d+toh)\s*\(' "${engine[@]}"
  never 'libbpf is for io/dp and io/decap' '\bbpf_\w+\s*\(' "${not_dp[@]}"
  includes 'libbpf is for io/dp and io/decap' '(<bpf/|".*skel\.h")' "${not_dp[@]}"
  includes 'libnl is for io/nl' '<netlink/' "${not_nl[@]}"
  never 'libnl is for io/nl' '\b(nl_(?=(socket|cache|send|recv|addr|msg|connect|object))|rtnl_)\w+\s*\(' \
    "${not_nl[@]}"
  never 'XDP_* is for finish.h' '\bXDP_(PASS|DROP|TX|REDIRECT|ABORTED)\b' "${not_finish[@]}"
  never 'no log in the packet path' '\b(bpf_printk|bpf_trace_printk|log_\w+)\s*\(' "${bpf[@]}"
  [ ${#user[@]} -gt 0 ] && floors "${user[@]}"
  files '*.[ch]' | grep -E '(^|/)(util|utils|common|misc|helpers?)\.[ch]$' |
    sed 's/$/: a name that says nothing/'
} | offences
