/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clients that mean harm. They come from 127.200.0.0/16, eight networks (/24), and each acts as
 * often as the server's default limits let one connection act.
 */
#ifndef LOAD_HOSTILE_H
#define LOAD_HOSTILE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct hostile;
struct hostile_kind;

struct hostile_counts {
	_Atomic uint64_t acts;      /* messages that were sent */
	_Atomic uint64_t refused;   /* errors that came */
	_Atomic uint64_t closed;    /* connections that the server closed or did not take */
	_Atomic uint64_t connected; /* connections that were made */
};

/* By its name; NULL: there is none. hostile_kind_at() lists them: name and what it does; NULL: no
 * more. */
const struct hostile_kind *hostile_kind(const char *name);
const char *hostile_kind_at(size_t i, const char **what);

/* n connections to port, made by the next hostile_run(). counts is borrowed. NULL when out of
 * memory or of descriptors. */
struct hostile *hostile_new(const struct hostile_kind *kind, size_t n, uint16_t port,
                            struct hostile_counts *counts);

/* All that is due, without waiting; to be called about once in a millisecond. */
void hostile_run(struct hostile *h);

#endif
