#include "kernels/cuda/solver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cusolverDn.h> /* after dlfcn.h: for the tests it has a dlopen of its own */

/* The name that goes with the headers: their number is the library's, not the toolkit's. */
#define TEXT_OF(number) #number
#define NAME_OF(number) "libcusolver.so." TEXT_OF(number)
#define SOLVER_NAME     NAME_OF(CUSOLVER_VER_MAJOR)

struct gpu_solver {
    cusolverDnHandle_t handle;
    __typeof__(&cusolverDnCreate) create;
    __typeof__(&cusolverDnDestroy) destroy;
    __typeof__(&cusolverDnSetStream) set_stream;
    __typeof__(&cusolverDnDpotrf_bufferSize) work;
    __typeof__(&cusolverDnDpotrf) factor;
    char message[160];
};

static int solver_error(struct gpu_solver *solver, const char *what, cusolverStatus_t status)
{
    snprintf(solver->message, sizeof solver->message, "cuSOLVER: %s: %s (status %d)", what,
             status == CUSOLVER_STATUS_ALLOC_FAILED       ? "out of device memory"
             : status == CUSOLVER_STATUS_NOT_INITIALIZED  ? "no driver or a lost device"
             : status == CUSOLVER_STATUS_EXECUTION_FAILED ? "the launch failed"
                                                          : "an error",
             (int)status);
    return -1;
}

static int open_library(struct gpu_solver *solver)
{
    const struct {
        const char *name;
        void *place;
    } functions[] = {
        {"cusolverDnCreate", &solver->create},
        {"cusolverDnDestroy", &solver->destroy},
        {"cusolverDnSetStream", &solver->set_stream},
        {"cusolverDnDpotrf_bufferSize", &solver->work},
        {"cusolverDnDpotrf", &solver->factor},
    };
    void *library = dlopen(SOLVER_NAME, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        snprintf(solver->message, sizeof solver->message, "cuSOLVER cannot be loaded: %.110s",
                 reason != NULL ? reason : SOLVER_NAME);
        return -1;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = dlsym(library, functions[i].name);
        memcpy(functions[i].place, &symbol, sizeof symbol); /* see plugin.c */
        if (symbol == NULL) {
            snprintf(solver->message, sizeof solver->message, "%s has no %s", SOLVER_NAME,
                     functions[i].name);
            return -1;
        }
    }
    return 0;
}

static int start(struct gpu_solver *solver, cudaStream_t stream)
{
    if (open_library(solver) != 0)
        return -1;
    cusolverStatus_t status = solver->create(&solver->handle);
    if (status != CUSOLVER_STATUS_SUCCESS) {
        solver->handle = NULL;
        return solver_error(solver, "cannot start", status);
    }
    status = solver->set_stream(solver->handle, stream);
    return status == CUSOLVER_STATUS_SUCCESS ? 0 : solver_error(solver, "cannot set up", status);
}

int gpu_solver_open(struct gpu_solver **out, cudaStream_t stream, char *message, size_t bytes)
{
    struct gpu_solver *solver = calloc(1, sizeof *solver);
    *out = NULL;
    if (solver == NULL) {
        snprintf(message, bytes, "no memory for cuSOLVER");
        return -1;
    }
    if (start(solver, stream) == 0) {
        *out = solver;
        return 0;
    }
    snprintf(message, bytes, "%s", solver->message);
    gpu_solver_close(solver);
    return -1;
}

void gpu_solver_close(struct gpu_solver *solver)
{
    if (solver != NULL && solver->handle != NULL)
        solver->destroy(solver->handle);
    free(solver);
}

int gpu_solver_work(struct gpu_solver *solver, double *a, int n, int *doubles)
{
    cusolverStatus_t status =
        solver->work(solver->handle, CUBLAS_FILL_MODE_UPPER, n, a, n, doubles);
    return status == CUSOLVER_STATUS_SUCCESS ? 0 : solver_error(solver, "work memory", status);
}

int gpu_solver_cholesky(struct gpu_solver *solver, double *a, int n, double *work, int doubles,
                        int *info)
{
    cusolverStatus_t status =
        solver->factor(solver->handle, CUBLAS_FILL_MODE_UPPER, n, a, n, work, doubles, info);
    return status == CUSOLVER_STATUS_SUCCESS ? 0 : solver_error(solver, "the factor", status);
}

const char *gpu_solver_error(const struct gpu_solver *solver)
{
    return solver->message;
}
