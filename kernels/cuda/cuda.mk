# The CUDA backend, from one source twice:
#
#   build/airo-cuda.so             by nvcc, where it is found: make NVCC=... names another, make
#                                  NVCC= builds without; CUDA_ARCHS="80 90" chooses the GPUs
#   build/cuda-host/airo-cuda.so   by the host's compilers against tests/cuda/shim, for the tests
#   build/cuda-host/libairo-cuda-host.a   the same as a library, for the tests of its kernels

CUDA_CU   := $(shell ls -S kernels/cuda/*.cu 2>/dev/null) # the longest first: they take longest
CUDA_C    := $(sort $(wildcard kernels/cuda/*.c))
CUDA_MAP  := kernels/cuda/airo-cuda.map
CUDA_LINK  = -shared -Wl,-z,relro,-z,now $(SANFLAGS) -Wl,--version-script=$(CUDA_MAP) -pthread

# --- for the GPU --------------------------------------------------------------------------------

NVCC ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard $(CUDA_HOME)/bin/nvcc /usr/local/cuda/bin/nvcc))
ifneq ($(NVCC),)
CUDA_ROOT := $(patsubst %/bin/,%,$(dir $(realpath $(shell command -v $(NVCC)))))
CUDA_LIB  := $(firstword $(wildcard $(addprefix $(CUDA_ROOT)/,lib64 targets/$(shell uname -m)-linux/lib lib)))
# Machine code for each generation (that for 80 also runs on 87, that for 100 on 103, 120 on 121),
# and PTX for the driver to compile on the others. All of it comes from two front-end runs a file,
# for compute_80 and compute_90: nothing newer is used.
CUDA_KNOWN := $(patsubst compute_%,%,$(shell $(NVCC) --list-gpu-arch))
CUDA_ARCHS ?= $(filter 80 86 89 90 100 120,$(CUDA_KNOWN))
virtual     = compute_$(if $(filter 8%,$(1)),80,90)
GENCODE    := $(foreach a,$(CUDA_ARCHS),-gencode arch=$(call virtual,$a),code=sm_$a) \
              $(foreach v,$(call virtual,$(lastword $(CUDA_ARCHS))),-gencode arch=$v,code=$v)
NVCCFLAGS  ?= -O3
CUDA_OBJ   := $(CUDA_CU:%.cu=$(BUILD)/cuda/%.cu.o) $(CUDA_C:%.c=$(BUILD)/cuda/%.o)
CUDA_SO    := $(if $(SANITIZE),,$(if $(CUDA_CU),$(BUILD)/airo-cuda.so))
# Of the toolkit, 11.8 or later: the runtime (static), cuBLAS (libcublas.so.11 to .13, by its headers),
# and, for `airo quantize` alone and opened when it runs, cuSOLVER (libcusolver.so.11 or .12, likewise).
CUDA_LIBS   = -L$(CUDA_LIB) -Wl,-rpath,$(CUDA_LIB) -lcublas -lcudart_static -lrt -ldl

all: $(CUDA_SO)
$(BUILD)/airo-cuda.so: $(CUDA_OBJ) $(CUDA_MAP)
	$(call SAY,LINK,$@)
	$(Q)$(CXX) $(CUDA_LINK) -Wl,-z,defs -o $@ $(CUDA_OBJ) $(CUDA_LIBS)
$(BUILD)/cuda/%.cu.o: %.cu Makefile kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(call SAY,NVCC,$<)
	$(Q)$(NVCC) $(NVCCFLAGS) -std=c++17 -I. $(GENCODE) -Xcompiler -fPIC -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
$(BUILD)/cuda/%.o: %.c Makefile kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) -isystem $(CUDA_ROOT)/include $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

# Registers, static shared memory, stack and spills of each kernel; fails where one spills. It
# compiles all of it once more, so it is not a part of `make test`.
RESOURCE_ARCH ?= 90
.PHONY: cuda-resources
cuda-resources:
	@sh tests/cuda/resources.sh $(NVCC) $(RESOURCE_ARCH) $(CUDA_CU)
else
all: no-cuda
.PHONY: no-cuda
no-cuda:
	@echo "  No nvcc found: built without the CUDA backend (make NVCC=/path/to/nvcc)"
endif

# --- for the host, in the tests -----------------------------------------------------------------

SHIM_INC  := -Itests/cuda/shim/include
SHIM_SRC  := $(sort $(wildcard tests/cuda/shim/*.cpp))
HOST      := $(BUILD)/cuda-host
HOST_OBJ  := $(CUDA_CU:%.cu=$(HOST)/%.cu.o) $(CUDA_C:%.c=$(HOST)/%.o) $(SHIM_SRC:%.cpp=$(HOST)/%.o)
HOST_LIB  := $(HOST)/libairo-cuda-host.a
HOST_SO   := $(if $(filter %/backend.c,$(CUDA_C)),$(HOST)/airo-cuda.so)
HOST_CXXFLAGS = -std=c++17 $(CFLAGS) -Wall -Wextra -Wshadow -Wno-unknown-pragmas $(WERROR) $(HARDEN) \
                $(SANFLAGS) -fPIC -fno-gnu-unique -pthread

# The thread sanitiser watches the kernels, and the shim tells it what is ordered by what.
ifneq ($(findstring thread,$(SANITIZE)),)
$(SHIM_SRC:%.cpp=$(HOST)/%.o): HOST_CXXFLAGS += -fno-sanitize=thread -DSHIM_RACES
endif

$(HOST)/%.cu.o: %.cu Makefile kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(call SAY,CXX,$<)
	$(Q)$(CXX) $(CPPFLAGS) $(SHIM_INC) $(HOST_CXXFLAGS) -MMD -MP -c -o $@ -x c++ $<
$(HOST)/%.o: %.cpp Makefile kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(call SAY,CXX,$<)
	$(Q)$(CXX) $(CPPFLAGS) $(SHIM_INC) $(HOST_CXXFLAGS) -MMD -MP -c -o $@ $<
$(HOST)/%.o: %.c Makefile kernels/cuda/cuda.mk
	@mkdir -p $(@D)
	$(call SAY,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(SHIM_INC) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<
$(HOST_LIB): $(HOST_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(HOST_OBJ)
$(HOST)/airo-cuda.so: $(HOST_OBJ) $(CUDA_MAP)
	$(call SAY,LINK,$@)
	$(Q)$(CXX) $(CUDA_LINK) -o $@ $(HOST_OBJ) -lm

CUDA_TEST_SRC := $(sort $(wildcard tests/cuda/test_*.c))
CUDA_TEST_BIN := $(CUDA_TEST_SRC:%.c=$(BUILD)/%)
CUDA_HELP_SRC := $(sort $(filter-out $(CUDA_TEST_SRC),$(wildcard tests/cuda/*.c tests/cuda/*.cu)))
CUDA_HELP_OBJ := $(patsubst %,$(HOST)/%.o,$(CUDA_HELP_SRC:.c=))
$(BUILD)/tests/cuda/%.o: CPPFLAGS += $(SHIM_INC)
$(CUDA_TEST_BIN): $(BUILD)/%: $(BUILD)/%.o $(CUDA_HELP_OBJ) $(HELP_OBJ) $(HOST_LIB) $(BUILD)/libairo.a
	$(call SAY,LINK,$@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $< $(CUDA_HELP_OBJ) $(HELP_OBJ) $(HOST_LIB) $(BUILD)/libairo.a $(LDLIBS) -lcmocka -lvterm

# --- make gpu-check -----------------------------------------------------------------------------

# The check of a whole machine and, linked with the real library, the tests of the kernels; the same
# program against the shim, for its own test.
GPU_SRC       := $(sort $(wildcard tests/gpu/*.c))
GPU_TEST_SRC  := $(if $(CUDA_TEST_SRC),$(shell grep -L 'shim/shim.h\|setenv\|cuda-host' $(CUDA_TEST_SRC)))
GPU_TEST_BIN  := $(GPU_TEST_SRC:tests/cuda/%.c=$(BUILD)/gpu/%)
GPU_HELP_OBJ  := $(patsubst %,$(BUILD)/cuda/%.o,$(CUDA_HELP_SRC:.c=))
GPU_DIRECTORY ?= $(firstword $(wildcard /dev/shm) /tmp)
GPU_CHECK      = $(BUILD)/gpu/gpu_check --make-model $(BUILD)/tests/bench/make_model \
                 --directory $(GPU_DIRECTORY) --output $(BUILD)/gpu-check

$(HOST)/gpu_check: $(GPU_SRC:%.c=$(HOST)/%.o) $(SHIM_SRC:%.cpp=$(HOST)/%.o) $(BUILD)/libairo.a
	$(call SAY,LINK,$@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/gpu/gpu_check: $(GPU_SRC:%.c=$(BUILD)/cuda/%.o) $(BUILD)/libairo.a
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CUDA_LIBS)
$(GPU_TEST_BIN): $(BUILD)/gpu/%: $(BUILD)/cuda/tests/cuda/%.o $(GPU_HELP_OBJ) $(HELP_OBJ) $(CUDA_OBJ) $(BUILD)/libairo.a
	@mkdir -p $(@D)
	$(call SAY,LINK,$@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka -lvterm $(CUDA_LIBS)

# make gpu-check BUILT=1 runs what has been built elsewhere and builds nothing.
.PHONY: gpu-check gpu-check-built
gpu-check: $(if $(BUILT),,gpu-check-built)
	@AIRO_CUDA=$(BUILD)/airo-cuda.so sh tests/gpu/run.sh $(GPU_CHECK) $(GPU_TEST_BIN)
gpu-check-built: $(if $(NVCC),$(CUDA_SO) $(BUILD)/gpu/gpu_check $(GPU_TEST_BIN) $(BUILD)/tests/bench/make_model)
