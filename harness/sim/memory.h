/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bytes on the heap: of a run, and of one allocation.
 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define NODE_MEMORY_MAX 16000 /* ports of one relay address */

size_t memory_in_use(void);

/* --break: keeps so many bytes for good. */
void memory_lose(size_t bytes);

/* Makes n allocations in one core, idle ones and then with a permission and a channel, and prints
 * what each takes. 0 or a code of base/error.h. */
int memory_measure(uint32_t n);

#endif
