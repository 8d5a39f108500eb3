/* cuda_runtime.h - as cuda_runtime_api.h; the C++ part is in shim_kernel.h. */
#include "cuda_runtime_api.h"
