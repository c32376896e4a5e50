/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Threads beside the main one.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* As pthread_create(), with all signals blocked: they are the main thread's. */
int thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

#endif
