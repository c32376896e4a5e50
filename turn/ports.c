/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pool of relay ports.
 */
#include "turn/ports.h"

#include "base/env.h"
#include "base/error.h"
#include "turn/quota.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define GUESSES 32 /* random tries before the pool is searched from a random place */

/* PORT_RESERVED: not bound, another program may have it. The lower bits of a port's state; the
 * upper ones count its changes. */
enum port_use { PORT_FREE, PORT_UDP, PORT_TCP, PORT_RESERVED };
#define USE_MASK 3u
#define CHANGE   4u

struct port {
	_Atomic uint32_t state; /* written under the lock */
	uint32_t free_s;        /* since when, in seconds of the pool's clock; 0: ever */
};

struct reservation {
	struct reservation *prev, *next;
	uint8_t token[TURN_TOKEN_LEN];
	uint16_t port;
	uint64_t until_ms;
	struct turn_holder holder;
	char username[];
};

struct turn_ports {
	pthread_mutex_t lock;
	uint16_t min;
	uint32_t n;
	size_t leased, reserved;
	struct reservation *reservations;
	uint64_t now_ms;    /* the last that it was told */
	struct port port[]; /* by port - min */
};

static enum port_use use_of(const struct port *port)
{
	return atomic_load_explicit(&port->state, memory_order_acquire) & USE_MASK;
}

/* Locked by the caller. */
static void put_use(struct port *port, enum port_use use)
{
	uint32_t state = atomic_load_explicit(&port->state, memory_order_relaxed);

	atomic_store_explicit(&port->state, ((state & ~USE_MASK) + CHANGE) | use,
	                      memory_order_release);
}

struct turn_ports *turn_ports_new(uint16_t min, uint16_t max)
{
	uint32_t n = (uint32_t)(max - min) + 1;
	struct turn_ports *p = calloc(1, sizeof(*p) + n * sizeof(p->port[0]));

	if (!p)
		return NULL;
	p->min = min;
	p->n = n;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void turn_ports_free(struct turn_ports *p)
{
	struct reservation *r, *next;

	if (!p)
		return;
	DL_FOREACH_SAFE(p->reservations, r, next)
	free(r);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static bool fits(const struct turn_ports *p, uint32_t i, enum turn_ports_want want)
{
	if (use_of(&p->port[i]))
		return false;
	if (want == TURN_PORT_ANY)
		return true;
	if ((p->min + i) % 2)
		return false;
	return want == TURN_PORT_EVEN || (i + 1 < p->n && !use_of(&p->port[i + 1]));
}

static bool has_rested(const struct turn_ports *p, uint32_t i)
{
	return !p->port[i].free_s ||
	       p->now_ms / 1000 - p->port[i].free_s >= TURN_PORT_REST_MS / 1000;
}

static int find(const struct turn_ports *p, struct env *env, enum turn_ports_want want,
                uint32_t *out)
{
	uint32_t chance[GUESSES];

	bool found = false;

	env_random(env, chance, sizeof(chance));
	for (size_t k = 0; k < GUESSES; k++) {
		uint32_t i = chance[k] % p->n;

		if (!fits(p, i, want))
			continue;
		if (!found || p->port[i].free_s < p->port[*out].free_s)
			*out = i;
		found = true;
		if (has_rested(p, i))
			break;
	}
	if (found) /* none that has rested: the one that has for longest */
		return 0;
	for (uint32_t k = 0; k < p->n; k++) {
		*out = (chance[0] % p->n + k) % p->n;
		if (fits(p, *out, want))
			return 0;
	}
	return -E_LIMIT;
}

/* Locked by the caller; the workers' clocks are one. */
static void tell_time(struct turn_ports *p, uint64_t now_ms)
{
	if (now_ms > p->now_ms)
		p->now_ms = now_ms;
}

int turn_ports_lease(struct turn_ports *p, struct env *env, enum turn_ports_want want,
                     uint16_t *port)
{
	uint32_t i;
	int r;

	pthread_mutex_lock(&p->lock);
	tell_time(p, env_now_ms(env));
	r = find(p, env, want, &i);
	if (!r) {
		put_use(&p->port[i], PORT_UDP);
		p->leased++;
		if (want == TURN_PORT_EVEN_PAIR) {
			put_use(&p->port[i + 1], PORT_RESERVED);
			p->leased++;
		}
		*port = (uint16_t)(p->min + i);
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* Locked by the caller. */
static void give_back(struct turn_ports *p, uint16_t port)
{
	struct port *at = &p->port[port - p->min];

	put_use(at, PORT_FREE);
	at->free_s = (uint32_t)(p->now_ms / 1000) + !(p->now_ms / 1000);
	p->leased--;
}

void turn_ports_release(struct turn_ports *p, uint16_t port)
{
	pthread_mutex_lock(&p->lock);
	give_back(p, port);
	pthread_mutex_unlock(&p->lock);
}

void turn_ports_retire(struct turn_ports *p, uint16_t port)
{
	pthread_mutex_lock(&p->lock);
	put_use(&p->port[port - p->min], PORT_RESERVED);
	pthread_mutex_unlock(&p->lock);
}

int turn_ports_reserve(struct turn_ports *p, uint16_t port, const uint8_t token[TURN_TOKEN_LEN],
                       uint64_t now_ms, const struct turn_holder *holder)
{
	struct reservation *r = calloc(1, sizeof(*r) + holder->username_len);

	if (!r)
		return -E_NOMEM;
	memcpy(r->token, token, TURN_TOKEN_LEN);
	r->port = port;
	r->until_ms = now_ms + TURN_RESERVATION_MS;
	r->holder = *holder;
	r->holder.username = r->username;
	memcpy(r->username, holder->username, holder->username_len);
	pthread_mutex_lock(&p->lock);
	DL_APPEND(p->reservations, r);
	p->reserved++;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

/* Locked by the caller. */
static void drop_reservation(struct turn_ports *p, struct reservation *r)
{
	DL_DELETE(p->reservations, r);
	p->reserved--;
	free(r);
}

int turn_ports_claim(struct turn_ports *p, const uint8_t token[TURN_TOKEN_LEN], uint64_t now_ms,
                     uint16_t *port, struct turn_quota_user **user)
{
	struct reservation *r;
	int result = -E_NOTFOUND;

	pthread_mutex_lock(&p->lock);
	DL_FOREACH (p->reservations, r) {
		if (r->until_ms > now_ms && !memcmp(r->token, token, TURN_TOKEN_LEN)) {
			*port = r->port;
			*user = r->holder.quota_user;
			put_use(&p->port[r->port - p->min], PORT_UDP);
			drop_reservation(p, r);
			result = 0;
			break;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return result;
}

/* Nobody claimed it. The caller holds the lock. */
static void end_reservation(struct turn_ports *p, struct reservation *r, struct turn_quota *quota)
{
	give_back(p, r->port);
	turn_quota_give(quota, r->holder.quota_user);
	drop_reservation(p, r);
}

void turn_ports_expire(struct turn_ports *p, uint64_t now_ms, struct turn_quota *quota)
{
	pthread_mutex_lock(&p->lock);
	tell_time(p, now_ms);
	/* Oldest first: all last equally long. */
	while (p->reservations && p->reservations->until_ms <= now_ms)
		end_reservation(p, p->reservations, quota);
	pthread_mutex_unlock(&p->lock);
}

void turn_ports_recheck(struct turn_ports *p,
                        bool (*is_gone)(void *ctx, const struct turn_holder *holder), void *ctx,
                        struct turn_quota *quota)
{
	struct reservation *r, *next;

	pthread_mutex_lock(&p->lock);
	DL_FOREACH_SAFE(p->reservations, r, next)
	if (is_gone(ctx, &r->holder))
		end_reservation(p, r, quota);
	pthread_mutex_unlock(&p->lock);
}

void turn_ports_put_tcp(struct turn_ports *p, uint16_t port)
{
	pthread_mutex_lock(&p->lock);
	put_use(&p->port[port - p->min], PORT_TCP);
	pthread_mutex_unlock(&p->lock);
}

static struct port *port_at(struct turn_ports *p, uint16_t port)
{
	return port < p->min || (uint32_t)(port - p->min) >= p->n ? NULL : &p->port[port - p->min];
}

bool turn_ports_is_leased(struct turn_ports *p, uint16_t port)
{
	const struct port *at = port_at(p, port);

	return at && use_of(at) == PORT_UDP;
}

bool turn_ports_is_tcp(struct turn_ports *p, uint16_t port)
{
	const struct port *at = port_at(p, port);

	return at && use_of(at) == PORT_TCP;
}

struct turn_lease turn_ports_lease_of(struct turn_ports *p, uint16_t port)
{
	const struct port *at = port_at(p, port);
	uint32_t state = at ? atomic_load_explicit(&at->state, memory_order_acquire) : 0;

	return (state & USE_MASK) == PORT_UDP ? (struct turn_lease){&at->state, state}
	                                      : (struct turn_lease){NULL, 0};
}

size_t turn_ports_size(struct turn_ports *p)
{
	return p->n;
}

size_t turn_ports_leased(struct turn_ports *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->leased;
	pthread_mutex_unlock(&p->lock);
	return n;
}

size_t turn_ports_reserved(struct turn_ports *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->reserved;
	pthread_mutex_unlock(&p->lock);
	return n;
}
