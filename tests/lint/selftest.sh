#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each checker must find the offences planted in a small tree of our own: a check that cannot fail is
# a defect.  Prints what was not found, and what was found without being planted.
# shellcheck source-path=SCRIPTDIR disable=SC2016 # planted text keeps its dollars
. "$(dirname "$0")/lib.sh"
lint=$(cd "$(dirname "$0")" && pwd)
top=$PWD
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
bsd='/* SPDX-License-Identifier: BSD-2-Clause */'
gpl='/* SPDX-License-Identifier: GPL-2.0-only */'
dual='/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */'

# plant FILE LINE...
plant() {
  mkdir -p "$(dirname "$1")"
  printf '%s\n' "${@:2}" >"$1"
}

cd "$tree" || exit 1
git init -q .
cp "$top/.clang-format" "$top/.gitignore" .
plant user/pure/clean.c "$bsd" '#include <errno.h>' '/* time( and errno, printf( */' \
  'static const char *word = "time(errno) printf(";' 'int snprintf(char *s);'
plant user/pure/reads.c "$bsd" 'int x = 0;' 'int y(void)' '{' $'\treturn -errno;' '}'
plant user/pure/clock.c "$bsd" 'long x = time(0);'
plant user/pure/chatty.c "$bsd" '#include "io/dp.h"' 'int x = printf("hi");'
plant user/pure/dials.c "$bsd" 'int x = socket(1, 2, 3);'
plant user/io/logs.c "$bsd" 'int x = log_info("hi");' 'int y = exit(1);'
plant user/io/nl.c "$bsd" '#include "io/nl_own.h"' '#include "io/dp.h"' '#include <netlink/netlink.h>'
plant user/io/dp.c "$bsd" '#include "base/addr.h"' '#include <bpf/libbpf.h>' 'int x = bpf_map_freeze(1);'
plant user/io/sly.c "$bsd" '#include <bpf/libbpf.h>' 'int x = bpf_map_freeze(1);' 'int y = nl_socket_alloc();'
plant user/engine/order.c "$bsd" 'int x = htons(1);' 'int y = obj->exit(1);'
plant user/base/util.h "$bsd" 'extern uint32_t needs_stdint;'
plant user/main/long.c "$bsd" 'int f(void)' '{' "$(yes $'\t;' | head -n 58)" '}' \
  'int just(void)' '{' "$(yes $'\t;' | head -n 57)" '}'
plant user/main/endless.c "$bsd" "$(yes 'extern int x;' | head -n 500)"
plant user/main/ugly.c "$bsd" 'int  x;'
plant bpf/stage.h "$gpl" 'static int x(void)' '{' $'\tbpf_printk("hi");' $'\treturn XDP_DROP;' '}'
plant bpf/finish.h "$gpl" 'static int finish = XDP_DROP;'
plant include/holes.h "$dual" 'struct holes {' $'\tchar a;' $'\tint b;' '};'
plant include/bare.h '#define X 1'
plant user/base/wrong.c "$gpl"
plant script.sh '#!/bin/bash' '# SPDX-License-Identifier: BSD-2-Clause' 'rm $1/*'
plant tool '#!/bin/sh' 'cd $1'
plant x.skel.h "$bsd"
printf 'a\0b' >image.dat
plant merged.md '<<<<<<< HEAD'
plant tests/e2e/docs_commands.sh '#!/bin/bash' '# SPDX-License-Identifier: BSD-2-Clause' 'sh_balancer() { true; }'
plant docs/README.md '[page](page.md)' '[gone](gone.md)' '[away](page.md#nowhere)'
plant docs/page.md '# Here' '```sh' 'shunt status' '```' '```sh elsewhere' 'shunt status' '```' '```' '```' \
  '```text' '$ shunt status' '```' '[here](#here)'
plant docs/lone.md
plant user/pure/conf_words.c "$bsd" 'int x = conf_fail(l, node, "this is said to nobody; do %s", "that");' \
  'int y = conf_fail(l, node, "this is said, and a test expects %s", "so");'
plant tests/unit/conf/words.err 'x.yaml:1:1: this is said, and a test expects that so'
plant tests/lint/errors.exempt 'Why.' $'\tthis is said, and a test expects %s' $'\tthis is said no more'
mkdir build
cc -o build/shunt -x c - <<<'int main(void) { return 0; }' -Wl,--no-as-needed -lelf
ok=0

# finds CHECKER OFFENCE...: exactly these, each a beginning of a line.
finds() {
  local checker=$1 got rc want
  shift
  got=$(O=build "$lint/$checker.sh" 2>&1)
  rc=$?
  if [ $rc -eq 77 ]; then
    echo "$checker: not tried: $(tail -n 1 <<<"$got")" >&2
    return
  fi
  for want; do
    if ! grep -qF -- "$want" <<<"$got"; then
      echo "$checker does not find: $want"
      ok=1
    fi
    got=$(grep -vF -- "$want" <<<"$got")
  done
  if [ -n "$got" ] || [ $rc -ne 1 ]; then
    echo "$checker (exit status $rc) also finds: $got"
    ok=1
  fi
}

finds format user/main/ugly.c:2:
finds headers user/base/util.h: include/holes.h: bpf/stage.h:  bpf/finish.h:
finds rooms user/pure/reads.c:5: user/pure/clock.c:2: user/pure/chatty.c:2: user/pure/chatty.c:3: \
  user/pure/dials.c:2: user/io/logs.c:2: user/io/logs.c:3: user/io/nl.c:3: user/io/sly.c:2: \
  user/io/sly.c:3: user/io/sly.c:4: user/engine/order.c:2: bpf/stage.h:4: bpf/stage.h:5: \
  user/base/util.h:
finds sizes 'user/main/long.c:2: function f has 61 lines' 'user/main/endless.c: file has 501 lines'
finds scripts script.sh:3: tool:2:
finds licence include/bare.h:1: user/base/wrong.c:1:
finds docs docs/page.md:5: docs/page.md:8: docs/page.md:11: docs/README.md:2: docs/README.md:3: docs/lone.md:
finds tracked x.skel.h image.dat merged.md:1:
finds errors user/pure/conf_words.c:2: 'tests/lint/errors.exempt:2: a test expects' 'tests/lint/errors.exempt:3: nothing says'
finds links 'build/shunt: needs libelf'
cd "$(mktemp -d -p "$tree")" && git init -q . || exit 1
plant user/base/x.h "$bsd" 'int called(void);' 'int lonely(void);' 'int tried(' $'\tint x); /* for tests */'
plant user/base/x.c 'int called(void) { return 0; }' 'int lonely(void) { return 0; }' \
  'int own(void) { return 0; }' 'int more(void) { return own(); }' 'int tried(int x) { return x; }'
plant user/main/x.c 'int called(void);' 'int more(void);' 'int main(void) { return called() + more(); }'
mkdir -p build/user/base build/user/main
cc -c -o build/user/base/x.o user/base/x.c && cc -c -o build/user/main/x.o user/main/x.c
finds unused 'user/base/x.c:2: nobody uses lonely' 'user/base/x.c:3: own is only used here: static'
exit $ok
