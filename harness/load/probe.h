/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What somebody who has nothing to do with an attack notices of it: the time of GET /healthz, and
 * of setting up a call between two clients that have just come.
 */
#ifndef LOAD_PROBE_H
#define LOAD_PROBE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PROBE_MAX   8192
#define PROBE_LIMIT 15000 /* ms: what takes longer has failed, and counts as so long */

/* Times of one kind; written by one process, read by another once that has ended. */
struct probe {
	uint32_t n, failed;
	uint32_t us[PROBE_MAX];
};

/* One request, waiting for its end. */
void probe_health(struct probe *p, uint16_t port);

/* One call: connect, sign in, see each other in the list, offer, answer, three candidates each way;
 * waiting for its end. number: different in each call. */
void probe_call(struct probe *p, uint16_t port, uint32_t number);

/* {"n", "failed", "p50_ms", "p99_ms", "max_ms"}; sorts. */
json_t *probe_describe(struct probe *p);

#endif
