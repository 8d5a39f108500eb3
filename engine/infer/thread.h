/*
 * thread.h - starting one of the engine's threads.
 */
#ifndef AIRO_INFER_THREAD_H
#define AIRO_INFER_THREAD_H

#include <pthread.h>

#include "engine/base/error.h"

/* Signals are for the interface's thread; only those that a thread causes itself reach the new one.
 * `what` names it in the error: "engine". */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument, const char *what,
                 struct error *error);

#endif
