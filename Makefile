# SPDX-License-Identifier: BSD-2-Clause
# make help lists the targets. V=1 shows the commands, SAN=1 builds with ASan and UBSan in build-san.

VERSION  := 0.1.0
PREFIX   ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR  ?=

ifdef SAN
O        := build-san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else
O        := build
SANFLAGS :=
endif
Q        := $(if $(V),,@)
say       = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

CC       ?= cc
CLANG    := $(or $(firstword $(foreach n,30 29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14,$(shell command -v clang-$(n) 2>/dev/null))),clang)
# Ubuntu's bpftool is a wrapper that fails on a kernel that it has no tools for.
BPFTOOL  ?= $(or $(firstword $(foreach b,bpftool /usr/sbin/bpftool $(wildcard /usr/lib/linux-tools*/bpftool),$(shell $b version >/dev/null 2>&1 && echo $b))),bpftool)
WARN     := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
CFLAGS   ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(WARN) $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) -D_GNU_SOURCE -DSHUNT_VERSION='"$(VERSION)"' \
	-DSHUNT_SYSCONFDIR='"$(SYSCONFDIR)"' -Iuser -Iinclude -I$O -isystem /usr/include/libnl3
BPF_CFLAGS := -O2 -g -mcpu=v3 -target bpf -Wall -Wextra -Werror -Wno-unused-function \
	-Iinclude -Ibpf -isystem /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)

DAEMON_LIBS := -lbpf -lelf -lz -lnl-3 -lmnl -levent_extra -levent_core -lyaml -lcurl -lcap-ng -lseccomp -lsodium -lssl -lcrypto -lcares -lpcre2-8 -lm
# attach: shared; everything else does without.
LIBXDP      := $(wildcard /usr/include/xdp/libxdp.h)
ifneq ($(LIBXDP),)
ALL_CFLAGS  += -DSHUNT_LIBXDP
LIBXDP_LIB  := -lxdp
DAEMON_LIBS := $(LIBXDP_LIB) $(DAEMON_LIBS)
endif
CLI_LIBS    := -lncursesw -ltinfo -lmnl -lyaml -lpcre2-8 -lpcap
TEST_LIBS   := -lcmocka -lpcap

LIB_SRC   := $(wildcard user/base/*.c user/pure/*.c user/io/*.c user/engine/*.c)
MAIN_SRC  := $(wildcard user/main/*.c)
CLI_SRC   := $(filter-out user/main/shuntd.c user/main/shunt_decap.c,$(MAIN_SRC))
# The process that serves metrics and the page is shuntd too, and says things in the command's words.
WEB_SRC   := $(wildcard user/web/*.c user/main/words*.c) user/main/json.c user/main/units.c
obj        = $(patsubst %.c,$O/%.o,$(1))
COMPLETIONS := $O/completion/shunt $O/completion/_shunt $O/completion/shunt.fish
# Where scdoc is.
MAN       := $(if $(shell command -v scdoc 2>/dev/null),$(patsubst docs/%.scd,$O/%,$(wildcard docs/man/*.scd)))
SKEL      := $(patsubst bpf/%.bpf.c,$O/%.skel.h,$(wildcard bpf/*.bpf.c))

UNIT      := $(patsubst %.c,$O/%,$(wildcard tests/unit/test_*.c))
PACKET    := $(patsubst %.c,$O/%,$(wildcard tests/packet/test_*.c))
FUZZ      := $(patsubst %.c,$O/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH     := $(patsubst %.c,$O/%,$(wildcard tests/bench/bench_*.c))

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
RUNS := demo check check-kernels check-unit check-packet check-e2e prove bench bench-health bench-operate fuzz-packets
.PHONY: all help deps tests lint format install uninstall deb rpm clean $(RUNS) $(RUNS:%=run-%)

all: $O/shuntd $O/shunt $O/shunt-decap $(COMPLETIONS) $(MAN)

help:
	@echo 'make            build $O/shuntd and $O/shunt'
	@echo 'make deps       install what the build, the tests and the demo need (Debian, Ubuntu)'
	@echo 'make demo       balance real traffic in namespaces (root); KEEP=1 leaves it running'
	@echo 'make check      lint, unit, packet and end-to-end tests (root for the last two)'
	@echo 'make check-kernels  packet and end-to-end tests under other kernels, in qemu;'
	@echo '                KERNELS="bookworm trixie" are Debian suites, TESTS="packet e2e/nat"'
	@echo 'make prove      that no connection breaks: model, simulation, 5,000 real ones (root, minutes)'
	@echo 'make bench      ns a packet against floors of the same run (root); writes build/bench.json;'
	@echo '                ABLATION=1 shows what each part of the path costs instead'
	@echo 'make bench-health  10,000 checks at 2 s; how soon a dead backend is out, with and without'
	@echo '                checks; a rack dies (root)'
	@echo 'make bench-operate  stats with 10,000 backends beside 1 M packets/s, explain, top (root)'
	@echo 'make fuzz-packets  the packet path against its oracle (root); N=10000000 SEED=1 FROM=0'
	@echo 'make lint       format, headers, rooms, sizes'
	@echo 'make format     clang-format in place'
	@echo 'make install    into DESTDIR, PREFIX; make uninstall removes it'
	@echo 'make deb        Debian packages in $O/deb; make rpm, RPM packages in $O/rpm'
	@echo 'SAN=1           ASan and UBSan;   V=1  show commands'

deps:
	$(Q)tests/deps.sh

# These first install what a fresh machine lacks, where it is known how; another make then finds it.
$(RUNS):
	$(Q)tests/deps.sh --try $(if $(filter check-kernels,$@),--kernels) $(if $(filter demo,$@),--demo)
	$(Q)$(MAKE) $(if $(V),,-s) --no-print-directory run-$@

run-demo: all
	$(Q)O=$O tests/demo.sh

# ---- programs ------------------------------------------------------------------------------------

$O/shuntd: $O/user/main/shuntd.o $(call obj,$(WEB_SRC)) $O/libshunt.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(DAEMON_LIBS)

# `shunt decap` runs shunt-decap, so that shunt itself links without libbpf: that it does is a
# standing test that the floors hold.
$O/shunt: $(call obj,$(CLI_SRC)) $O/libshunt.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(CLI_LIBS)

$O/shunt-decap: $O/user/main/shunt_decap.o $O/libshunt.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(LIBXDP_LIB) -lbpf -lelf -lz

$O/libshunt.a: $(call obj,$(LIB_SRC))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$O/%.o: %.c | $(SKEL)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The page is part of an object.
$O/user/web/page.o: $(wildcard user/web/page/*)

$O/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h include/*.h)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	@command -v $(CLANG) >/dev/null || { echo 'clang is not here: sudo make deps' >&2; exit 1; }
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$O/traced.bpf.o: bpf/shunt.bpf.c

$O/%.skel.h: $O/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F)_bpf > $@

# Where each shell looks for it, by the name that it wants.
$O/completion/shunt: SHELL_NAME = bash
$O/completion/_shunt: SHELL_NAME = zsh
$O/completion/shunt.fish: SHELL_NAME = fish
$(COMPLETIONS): $O/shunt
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$O/shunt completion $(SHELL_NAME) > $@

# What the program, the example and the header know stands in the place of @WORDS@.
MAN_PARTS := $(addprefix $O/man/,OPTIONS COMMANDS STATUSES REFERENCE MESSAGES)
$O/man/OPTIONS $O/man/COMMANDS $O/man/STATUSES: $O/shunt
	@mkdir -p $(@D)
	$(Q)$O/shunt manual $(shell echo $(@F) | tr A-Z a-z) > $@
$O/man/REFERENCE: docs/man/reference.awk configs/shunt.yaml
	@mkdir -p $(@D)
	$(Q)awk -f $^ > $@
$O/man/MESSAGES: docs/man/messages.awk include/shunt_msg.h
	@mkdir -p $(@D)
	$(Q)awk -f $^ > $@
$(MAN): $O/%: docs/%.scd $(MAN_PARTS)
	$(call say,MAN,$@)
	$(Q)sed $(foreach p,$(MAN_PARTS),-e '/^@$(notdir $p)@$$/{r $p' -e 'd}') $< | scdoc > $@

# ---- tests ---------------------------------------------------------------------------------------

# The packet tests share fixtures, and a copy of the program whose headroom is not zero.
PACKET_FIXTURES := $(call obj,$(wildcard tests/packet/fixture*.c))
$(PACKET): $(PACKET_FIXTURES)
$(PACKET_FIXTURES): | $O/tests/packet/poison.skel.h

# Some kill a daemon at its writes, which they see in place of the C library.
KILLERS := $(addprefix $O/tests/packet/test_engine_,writes grow rehash)
$(KILLERS): $(call obj,tests/packet/kills.c)

# The oracle says what the packet path must do; the fuzzer compares the two.
ORACLE_PARTS := $(call obj,$(filter-out %.bpf.c tests/oracle/fuzz_oracle.c,$(wildcard tests/oracle/*.c)))
ORACLE_FUZZ  := $O/tests/oracle/fuzz_oracle
$(PACKET) $(ORACLE_FUZZ): $(ORACLE_PARTS)
$(ORACLE_FUZZ): $(PACKET_FIXTURES)
$(ORACLE_PARTS): | $O/tests/oracle/tick.skel.h

# What the web process says of a snapshot.
$O/tests/unit/test_web_metrics: $(call obj,user/web/metrics.c user/web/metrics_out.c user/web/snapshot.c $(filter user/main/%,$(WEB_SRC)))

# The model of slots in transition; its own main searches larger worlds.
MODEL_PARTS := $(call obj,$(filter-out tests/model/model.c,$(wildcard tests/model/*.c)))
MODEL       := $O/tests/model/model
$O/tests/unit/test_model $(MODEL): $(MODEL_PARTS)

# The simulation has a copy whose clock it sets.
SIM_PARTS := $(call obj,$(filter-out %.bpf.c tests/sim/sim.c,$(wildcard tests/sim/*.c)))
SIM       := $O/tests/sim/sim
$O/tests/packet/test_sim $(SIM): $(SIM_PARTS)
$(SIM_PARTS): | $O/tests/sim/sim.skel.h

# The bench has a copy that restores the packet between two runs.
BENCH_PARTS := $(call obj,$(filter-out %.bpf.c tests/bench/bench_%,$(wildcard tests/bench/*.c)))
$(filter-out %/bench_operate,$(BENCH)): $(BENCH_PARTS)
$(BENCH_PARTS): | $O/tests/bench/bench.skel.h
$O/tests/bench/bench_live.o: | $O/tests/bench/live.skel.h
$O/tests/bench/bench_nat.o: | $O/tests/bench/nat.skel.h

# The same with a part left out or done in another way, which tests/bench/ablation.h names.
ABLATED := $(patsubst %,$O/tests/bench/ablation/%.bpf.o,$(shell sed -n 's/^\tpart_\(\w*\).*/\1/p' tests/bench/ablation.h))
$(ABLATED): $O/tests/bench/ablation/%.bpf.o: tests/bench/bench.bpf.c $(wildcard bpf/* tests/bench/*.h include/*.h)
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -DLEFT_OUT=part_$* -DWAY_$* -include tests/bench/ablation.h -c -o $@ $<

$O/tests/%.bpf.o: tests/%.bpf.c $(wildcard bpf/* tests/bench/*.h include/*.h)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(UNIT) $(PACKET) $(BENCH) $(FUZZ) $(ORACLE_FUZZ) $(MODEL) $(SIM): $O/%: $O/%.o $O/libshunt.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(SANFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(TEST_LIBS) $(DAEMON_LIBS) -lm

ifdef ABLATION
run-bench: $O/tests/bench/bench_ablation $(ABLATED)
	$(Q)$^
else
run-bench: $(filter-out %/bench_health %/bench_operate,$(BENCH:%/bench_ablation=))
	$(Q)O=$O $O/tests/bench/bench_shunt
	$(Q)$O/tests/bench/bench_nat
	$(Q)$O/tests/bench/bench_live
	$(Q)$O/tests/bench/bench_failover
endif

# CHECKS and SECONDS_EACH change what is measured.
run-bench-health: all $O/tests/bench/bench_health
	$(Q)$O/tests/bench/bench_health; first=$$?; O=$O tests/bench/health_out.sh || first=1; \
		O=$O tests/bench/passive.sh && exit $$first

# BACKENDS and ROUNDS change what is measured.
run-bench-operate: all $O/tests/bench/bench_operate
	$(Q)O=$O tests/bench/operate.sh

# A mismatch names its packet: FROM=PACKET N=1 with the same seed shows it again.
N    ?= 10000000
SEED ?= 1
FROM ?= 0
run-fuzz-packets: $(ORACLE_FUZZ)
	$(Q)$(ORACLE_FUZZ) $(N) $(SEED) $(FROM)

# ONLY="model sim" runs some.
run-prove: all $(MODEL) $(SIM) $(ORACLE_FUZZ) $O/tests/bench/bench_shunt \
		$O/tests/packet/test_dp_commit $O/tests/unit/test_maglev
	$(Q)O=$O tests/prove.sh

tests: $(UNIT) $(PACKET) $O/tests/bench/bench_operate

run-check: all tests
	$(Q)O=$O CC="$(CC)" CLANG="$(CLANG)" tests/run.sh lint unit packet e2e

run-check-unit run-check-packet run-check-e2e: run-check-%: all tests
	$(Q)O=$O tests/run.sh $*

# The two kernels of Debian that are older than what this is written on, and what breaks there first.
KERNELS ?= bookworm trixie
TESTS   ?= packet $(patsubst %,e2e/%,http_ipip http_dsr nat interfaces decap tunnels two_arms restart)
run-check-kernels: all tests
	$(Q)O=$O tests/kernels/run.sh $(KERNELS) -- $(TESTS)

lint:
	$(Q)O=$O CC="$(CC)" CLANG="$(CLANG)" tests/run.sh lint

format:
	$(Q)tests/lint/format.sh -i

SBIN  = $(DESTDIR)$(PREFIX)/sbin
BIN   = $(DESTDIR)$(PREFIX)/bin
SHARE = $(DESTDIR)$(PREFIX)/share/doc/shunt
BASH_DIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH_DIR  = $(DESTDIR)$(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
MAN_DIR  = $(DESTDIR)$(PREFIX)/share/man
FISH_DIR = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
SYSTEMD  = $(DESTDIR)$(PREFIX)/lib/systemd
UNITS   := shunt.service shunt-decap@.service
EXAMPLES := $(filter-out %.service %.sysusers %.catalog %/convert %-announce,$(wildcard configs/*))
# Units and examples name the folders of a distribution's package.
placed    = sed 's,/usr/,$(PREFIX)/,g; s,/etc/,$(SYSCONFDIR)/,g' $(1) | install -m 644 /dev/stdin $(2)

install: all
	install -d $(SBIN) $(BIN) $(SHARE)/docs $(SHARE)/examples $(SYSTEMD)/system $(SYSTEMD)/catalog \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/include
	install -d -m 2750 $(DESTDIR)$(SYSCONFDIR)/shunt
	install -m 755 $O/shuntd $(SBIN)
	install -m 755 $O/shunt $O/shunt-decap $(BIN)
	install -m 644 $(wildcard include/*.h) $(DESTDIR)$(PREFIX)/include
	install -m 644 LICENSE README.md $(SHARE)
	install -m 644 $(EXAMPLES) $(SHARE)/examples
	install -m 755 configs/anycast-announce $(SHARE)/examples
	install -D -m 644 -t $(SHARE)/examples/convert configs/convert/*
	install -m 644 $(wildcard docs/*.md) $(SHARE)/docs
	install -d $(BASH_DIR) $(ZSH_DIR) $(FISH_DIR)
	install -m 644 $O/completion/shunt $(BASH_DIR)
	install -m 644 $O/completion/_shunt $(ZSH_DIR)
	install -m 644 $O/completion/shunt.fish $(FISH_DIR)
	for page in $(MAN); do install -D -m 644 -t $(MAN_DIR)/man$${page##*.} $$page || exit; done
	install -m 644 configs/shunt.catalog $(SYSTEMD)/catalog
	install -m 644 configs/shunt.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/shunt.conf
	$(foreach u,$(UNITS),$(call placed,configs/$u,$(SYSTEMD)/system/$u);)

# The operator's own files in SYSCONFDIR stay.
uninstall:
	rm -f $(SBIN)/shuntd $(BIN)/shunt $(BIN)/shunt-decap $(UNITS:%=$(SYSTEMD)/system/%)
	rm -f $(SYSTEMD)/catalog/shunt.catalog $(DESTDIR)$(PREFIX)/lib/sysusers.d/shunt.conf
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,$(wildcard include/*.h))
	rm -f $(BASH_DIR)/shunt $(ZSH_DIR)/_shunt $(FISH_DIR)/shunt.fish
	rm -f $(foreach page,$(MAN),$(MAN_DIR)/man$(lastword $(subst ., ,$(page)))/$(notdir $(page)))
	rm -rf $(SHARE)
	-rmdir $(DESTDIR)$(SYSCONFDIR)/shunt 2>/dev/null

# Built from a copy, and not as root: debian/build.sh.
deb:
	$(Q)debian/build.sh $O/deb

# Of what is built here; what a package needs to be built has other names elsewhere.
rpm: all
	$(Q)rpmbuild -bb --build-in-place --nodeps --define "_topdir $(abspath $O)/rpm" \
		--define "tree_version $(VERSION)" --define "tree_build $O" debian/shunt.spec >$O/rpm.log 2>&1 || \
		{ tail -n 20 $O/rpm.log; exit 1; }
	$(Q)ls $O/rpm/RPMS/*/*.rpm

clean:
	rm -rf build build-san

-include $(shell find $O -name '*.d' 2>/dev/null)
