# airo: `make run` and `make test` do everything on a bare Debian or Ubuntu with gcc and make.
#
#   make            build/airo            make run [ARGS=...]   install what is missing, build, start
#   make test       every test            make deps             install what is missing (apt)
#   make screens    the golden screens, written anew
#   make asan tsan  the tests, sanitised  make lint             format, static checks, include direction
#   make eval       Vaquita's accuracy    make bench            speed on 13B shapes, random weights
#   make gpu-check  all of CUDA, on a GPU make cuda-resources   what its kernels take; needs nvcc
#   make bench-tui        from a key to its echo, in small and in large chats
#   make pictures   those of the README, from the running program
#   make install PREFIX=/usr/local

VERSION  := 0.1.0
PREFIX   ?= /usr/local
DESTDIR  ?=
BUILD    ?= build
CC       ?= gcc
CFLAGS   ?= -O2 -g
WERROR   ?=

# Every package the project needs, in one place. Debian names.
# g++ compiles the CUDA kernels for the host too, so that every test run runs them.
PACKAGES := gcc g++ libc6-dev pkg-config libncurses-dev libreadline-dev libiniparser-dev libjansson-dev \
            libunistring-dev libmd4c-dev libsqlite3-dev zlib1g-dev libcmocka-dev libvterm-dev
LINT_PACKAGES := clang-format cppcheck

WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wformat=2 $(WERROR)
HARDEN   := -fstack-protector-strong -fPIE
ifeq ($(SANITIZE),)
HARDEN   += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
else
SANFLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif
CPPFLAGS += -I. -D_GNU_SOURCE -DAIRO_VERSION='"$(VERSION)"' -DAIRO_PREFIX='"$(PREFIX)"'
ALL_CFLAGS = -std=c11 $(CFLAGS) $(WARNINGS) $(HARDEN) $(SANFLAGS) -pthread
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SANFLAGS) -pthread
LDLIBS   := -lncursesw -ltinfo -lreadline -liniparser -ljansson -lunistring -lmd4c -lsqlite3 \
            -lz -ldl -lm

LIB_SRC  := $(sort $(wildcard engine/*/*.c kernels/*.c kernels/cpu/*.c)) \
            $(filter-out tui/main.c,$(sort $(wildcard tui/*.c)))
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/%.o)
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c tests/kernels/test_*.c tests/golden/test_*.c \
            tests/faults/test_*.c tests/screens/test_*.c))
HELP_SRC := $(sort $(filter-out $(UNIT_SRC),$(wildcard tests/*.c tests/unit/*.c tests/screens/*.c tests/faults/*.c)))
HELP_OBJ := $(HELP_SRC:%.c=$(BUILD)/%.o)
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)
BENCH_BIN := $(patsubst %.c,$(BUILD)/%,$(sort $(filter-out tests/bench/bench_tui.c,$(wildcard tests/bench/*.c))))

# One short line for each file; make V=1 shows the commands.
ifeq ($(V),)
Q   := @
SAY  = @printf '  %-4s %s\n' $(1) $(2)
endif
JOBS := $(shell nproc 2>/dev/null || echo 2)

.PHONY: all deps run test check screens asan tsan lint format eval bench bench-tui pictures install uninstall clean includes
all: $(BUILD)/airo
.DELETE_ON_ERROR:
include kernels/cuda/cuda.mk

# Instruction sets are per file; everything else runs on any x86-64 (or any other CPU).
# (% matches at least one character: avx2%o is avx2.o and avx2_attend.o.)
ifneq ($(filter x86_64 amd64,$(shell uname -m)),)
$(BUILD)/kernels/cpu/avx2%o:   ISA := -mavx2 -mfma -mf16c -O3
$(BUILD)/kernels/cpu/avx512%o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx2 -mfma -mf16c -O3
endif
$(BUILD)/kernels/cpu/dense%o:  ISA := -O3 -ffp-contract=fast
$(BUILD)/kernels/cpu/kv%o:     ISA := -O3

# What reads files from outside converts no number silently.
$(BUILD)/engine/model/%.o $(BUILD)/engine/base/%.o $(BUILD)/engine/chat/%.o: PARSER := -Wconversion

$(BUILD)/airo: $(BUILD)/tui/main.o $(BUILD)/libairo.a
	$(call SAY,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(BUILD)/libairo.a $(LDLIBS)

$(BUILD)/libairo.a: $(LIB_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(PARSER) $(ISA) -MMD -MP -c -o $@ $<

$(UNIT_BIN): $(BUILD)/%: $(BUILD)/%.o $(HELP_OBJ) $(BUILD)/libairo.a
	$(call SAY,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(HELP_OBJ) $(BUILD)/libairo.a $(LDLIBS) -lcmocka -lvterm

$(BUILD)/tests/bench/bench_attend: $(BUILD)/tests/kernel_model.o
$(BENCH_BIN): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libairo.a
	$(call SAY,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(BUILD)/libairo.a $(LDLIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# --- set-up -----------------------------------------------------------------------------------

deps:
	@sh tests/deps.sh $(PACKAGES)

# A build needs the headers that deps installs, so these run make again after it.
run: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(BUILD)/airo $(ARGS)

test: deps
	@$(MAKE) --no-print-directory -j$(JOBS) check

check: all $(UNIT_BIN) $(CUDA_TEST_BIN) $(HOST_SO) $(HOST)/gpu_check $(BENCH_BIN) includes
	@AIRO_BUILD=$(BUILD) sh tests/run.sh $(UNIT_BIN) $(CUDA_TEST_BIN)

# Writes the golden screens anew; look at what changed before it is committed.
SCREEN_BIN := $(filter $(BUILD)/tests/screens/%,$(UNIT_BIN))
screens: $(SCREEN_BIN)
	@AIRO_BUILD=$(BUILD) AIRO_REFRESH=1 sh tests/run.sh $(SCREEN_BIN)
	@git --no-pager diff --stat -- tests/screens/golden

asan:
	@ASAN_OPTIONS=allocator_may_return_null=1 TEST_TIMEOUT=1800 \
	  $(MAKE) --no-print-directory -j$(JOBS) check BUILD=build-asan SANITIZE=address,undefined CFLAGS='-O1 -g'
tsan:
	@TEST_TIMEOUT=1800 $(MAKE) --no-print-directory -j$(JOBS) check BUILD=build-tsan SANITIZE=thread CFLAGS='-O1 -g'

# --- checks -----------------------------------------------------------------------------------

C_FILES = $(shell git ls-files '*.c' '*.h' '*.cu' '*.cuh' '*.cpp' 2>/dev/null)

# tui -> engine -> kernels, nothing points back.
includes:
	@! grep -nE '#include *"(tui|engine)/' -r kernels
	@! grep -nE '#include *"tui/' -r engine

lint: includes
	@sh tests/deps.sh $(LINT_PACKAGES)
	@clang-format --dry-run --Werror $(C_FILES)
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -I. -D_GNU_SOURCE \
	  --enable=warning,performance,portability --suppress=missingInclude tui engine kernels

format:
	clang-format -i $(C_FILES)

eval: $(BUILD)/airo
	@sh tests/eval.sh $(BUILD)/airo

# The pictures in tests/tour/pictures, from the running program.
TOUR_OBJ := $(BUILD)/tests/tour/tour.o $(BUILD)/tests/tour/svg_screen.o $(BUILD)/tests/screens/pty_screen.o
$(BUILD)/tests/tour/tour: $(TOUR_OBJ) $(BUILD)/libairo.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $(TOUR_OBJ) $(BUILD)/libairo.a $(LDLIBS) -lvterm
pictures: $(BUILD)/airo $(BUILD)/tests/tour/tour
	@$(BUILD)/tests/tour/tour $(BUILD)/airo tests/tour/tour.txt tests/tour/pictures

bench: $(BUILD)/airo $(BENCH_BIN)
	@sh tests/bench/run.sh $(BUILD)

# How long a key takes in the interface.
TUI_BENCH_OBJ := $(addprefix $(BUILD)/tests/,bench/bench_tui.o screens/pty_screen.o screens/chat_child.o screens/spelled_generator.o)
$(BUILD)/tests/bench/bench_tui: $(TUI_BENCH_OBJ) $(BUILD)/libairo.a
	$(Q)$(CC) $(LDFLAGS) -o $@ $(TUI_BENCH_OBJ) $(BUILD)/libairo.a $(LDLIBS) -lvterm
bench-tui: $(BUILD)/tests/bench/bench_tui
	@$(BUILD)/tests/bench/bench_tui

# --- install ----------------------------------------------------------------------------------

SHARE = $(DESTDIR)$(PREFIX)/share/airo
PLUGIN_DIR = $(DESTDIR)$(PREFIX)/lib/airo
EXTRAS = $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1/airo.1 \
         bash-completion/completions/airo zsh/site-functions/_airo fish/vendor_completions.d/airo.fish)
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/themes $(SHARE)/prompts/templates \
	  $(SHARE)/prompts/samples $(SHARE)/prompts/scenes $(SHARE)/prompts/characters \
	  $(SHARE)/models/vaquita
	install -m 755 $(BUILD)/airo $(DESTDIR)$(PREFIX)/bin/airo
	$(if $(CUDA_SO),install -d $(PLUGIN_DIR) && install -m 755 $(CUDA_SO) $(PLUGIN_DIR))
	install -m 644 themes/*.ini $(SHARE)/themes
	install -m 644 prompts/templates/*.ini $(SHARE)/prompts/templates
	install -m 644 prompts/samples/* $(SHARE)/prompts/samples
	install -m 644 prompts/scenes/* $(SHARE)/prompts/scenes
	install -m 644 prompts/characters/* $(SHARE)/prompts/characters
	install -m 644 $(filter-out models/vaquita/recipe models/vaquita/eval,$(wildcard models/vaquita/*)) $(SHARE)/models/vaquita
	install -m 644 tui/airo.ini $(SHARE)/airo.ini
	install -d $(dir $(EXTRAS))
	$(BUILD)/airo --print-man > $(word 1,$(EXTRAS))
	$(BUILD)/airo --print-completion bash > $(word 2,$(EXTRAS))
	$(BUILD)/airo --print-completion zsh > $(word 3,$(EXTRAS))
	$(BUILD)/airo --print-completion fish > $(word 4,$(EXTRAS))
	chmod 644 $(EXTRAS)
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/airo $(PLUGIN_DIR) $(SHARE) $(EXTRAS)

clean:
	rm -rf build build-asan build-tsan
