/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pool of relay ports of one relay address, shared by all workers (thread safe). It picks ports
 * at random, so that nobody can guess them (RFC 8656 section 7.2 asks for it; CVE-2025-69217 shows
 * why), and can lease an even port together with the one above it (RFC 8656 section 18.7
 * EVEN-PORT).
 *
 * A peer with a channel to a port may go on sending to it after its allocation has ended. So a
 * returned port rests for TURN_PORT_REST_MS while others are free, and a channel is bound to one
 * lease of the port, not to the port.
 */
#ifndef TURN_PORTS_H
#define TURN_PORTS_H

#include "turn/stun_msg.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_TOKEN_LEN      8      /* RESERVATION-TOKEN */
#define TURN_RESERVATION_MS 30000  /* RFC 8656 section 7.2: at least 30 seconds */
#define TURN_PORT_REST_MS   600000 /* a channel's lifetime */

struct env;
struct turn_quota_user;
struct turn_ports;
struct turn_quota;

/* Holds a reservation, identified as in struct turn_auth_session. */
struct turn_holder {
	struct turn_quota_user *quota_user; /* its place goes back with the reservation */
	unsigned int realm;                 /* index into the configuration's */
	bool third_party;
	struct stun_key key;
	int64_t key_source;
	const char *username;
	size_t username_len;
};

enum turn_ports_want { TURN_PORT_ANY, TURN_PORT_EVEN, TURN_PORT_EVEN_PAIR };

/* Ports min to max, both included. NULL when out of memory. */
struct turn_ports *turn_ports_new(uint16_t min, uint16_t max);
void turn_ports_free(struct turn_ports *p);

/* Leases a port; of a pair, the port above is leased with it. 0 or -E_LIMIT. */
int turn_ports_lease(struct turn_ports *p, struct env *env, enum turn_ports_want want,
                     uint16_t *port);
void turn_ports_release(struct turn_ports *p, uint16_t port);

/* Nobody may talk to the port from now on, and nobody may lease it: its socket is about to close.
 */
void turn_ports_retire(struct turn_ports *p, uint16_t port);

/* Keeps a leased port for the holder of the token, for TURN_RESERVATION_MS; then the port goes back
 * to the pool, and the holder's place to the quota. Copies holder. 0, or -E_NOMEM: the caller keeps
 * lease and place. */
int turn_ports_reserve(struct turn_ports *p, uint16_t port, const uint8_t token[TURN_TOKEN_LEN],
                       uint64_t now_ms, const struct turn_holder *holder);

/* Hands the reserved port and the holder's place to the caller, once. 0 or -E_NOTFOUND. */
int turn_ports_claim(struct turn_ports *p, const uint8_t token[TURN_TOKEN_LEN], uint64_t now_ms,
                     uint16_t *port, struct turn_quota_user **user);

/* Ends reservations that nobody claimed in time. */
void turn_ports_expire(struct turn_ports *p, uint64_t now_ms, struct turn_quota *quota);

/* Ends the reservations for whose holder is_gone() returns true. */
void turn_ports_recheck(struct turn_ports *p,
                        bool (*is_gone)(void *ctx, const struct turn_holder *holder), void *ctx,
                        struct turn_quota *quota);

/* True when the port is leased to a relay for UDP; false when it is only reserved. Takes no lock.
 */
bool turn_ports_is_leased(struct turn_ports *p, uint16_t port);

/* One lease of a port for UDP. Zeroed: no lease. */
struct turn_lease {
	const _Atomic uint32_t *now; /* the pool's counter */
	uint32_t was;
};

/* The present lease; an empty one if the port is not leased. The pool must outlive it. */
struct turn_lease turn_ports_lease_of(struct turn_ports *p, uint16_t port);

/* True while the lease lasts; an empty lease always does. */
static inline bool turn_lease_lasts(const struct turn_lease *l)
{
	return !l->now || atomic_load_explicit(l->now, memory_order_acquire) == l->was;
}

/* Marks a leased port as a TCP one (RFC 6062), until its release. Its UDP port may belong to
 * another program. */
void turn_ports_put_tcp(struct turn_ports *p, uint16_t port);
bool turn_ports_is_tcp(struct turn_ports *p, uint16_t port);

size_t turn_ports_size(struct turn_ports *p);   /* ports in the pool */
size_t turn_ports_leased(struct turn_ports *p); /* leased and reserved ports */
size_t turn_ports_reserved(struct turn_ports *p);

#endif
