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

enum port_use { PORT_FREE, PORT_UDP, PORT_TCP, PORT_RESERVED };

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
	uint8_t taken[]; /* enum port_use, by port - min */
};

struct turn_ports *turn_ports_new(uint16_t min, uint16_t max)
{
	uint32_t n = (uint32_t)(max - min) + 1;
	struct turn_ports *p = calloc(1, sizeof(*p) + n * sizeof(p->taken[0]));

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
	if (p->taken[i])
		return false;
	if (want == TURN_PORT_ANY)
		return true;
	if ((p->min + i) % 2)
		return false;
	return want == TURN_PORT_EVEN || (i + 1 < p->n && !p->taken[i + 1]);
}

static int find(const struct turn_ports *p, struct env *env, enum turn_ports_want want,
                uint32_t *out)
{
	uint32_t chance[GUESSES];

	env_random(env, chance, sizeof(chance));
	for (size_t k = 0; k < GUESSES; k++) {
		*out = chance[k] % p->n;
		if (fits(p, *out, want))
			return 0;
	}
	for (uint32_t k = 0; k < p->n; k++) {
		*out = (chance[0] % p->n + k) % p->n;
		if (fits(p, *out, want))
			return 0;
	}
	return -E_LIMIT;
}

int turn_ports_lease(struct turn_ports *p, struct env *env, enum turn_ports_want want,
                     uint16_t *port)
{
	uint32_t i;
	int r;

	pthread_mutex_lock(&p->lock);
	r = find(p, env, want, &i);
	if (!r) {
		p->taken[i] = PORT_UDP;
		p->leased++;
		if (want == TURN_PORT_EVEN_PAIR) {
			/* bound by nobody yet: it may be some other program's */
			p->taken[i + 1] = PORT_RESERVED;
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
	p->taken[port - p->min] = PORT_FREE;
	p->leased--;
}

void turn_ports_release(struct turn_ports *p, uint16_t port)
{
	pthread_mutex_lock(&p->lock);
	give_back(p, port);
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
                     uint16_t *port, struct turn_account **account)
{
	struct reservation *r;
	int result = -E_NOTFOUND;

	pthread_mutex_lock(&p->lock);
	DL_FOREACH (p->reservations, r) {
		if (r->until_ms > now_ms && !memcmp(r->token, token, TURN_TOKEN_LEN)) {
			*port = r->port;
			*account = r->holder.account;
			p->taken[r->port - p->min] = PORT_UDP;
			drop_reservation(p, r);
			result = 0;
			break;
		}
	}
	pthread_mutex_unlock(&p->lock);
	return result;
}

/* Nobody takes it up. Locked by the caller. */
static void end_reservation(struct turn_ports *p, struct reservation *r, struct turn_quota *quota)
{
	give_back(p, r->port);
	turn_quota_give(quota, r->holder.account);
	drop_reservation(p, r);
}

void turn_ports_expire(struct turn_ports *p, uint64_t now_ms, struct turn_quota *quota)
{
	pthread_mutex_lock(&p->lock);
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
	p->taken[port - p->min] = PORT_TCP;
	pthread_mutex_unlock(&p->lock);
}

static bool serves(struct turn_ports *p, uint16_t port, uint8_t what)
{
	bool is;

	if (port < p->min || (uint32_t)(port - p->min) >= p->n)
		return false;
	pthread_mutex_lock(&p->lock);
	is = p->taken[port - p->min] == what;
	pthread_mutex_unlock(&p->lock);
	return is;
}

bool turn_ports_is_leased(struct turn_ports *p, uint16_t port)
{
	return serves(p, port, PORT_UDP);
}

bool turn_ports_is_tcp(struct turn_ports *p, uint16_t port)
{
	return serves(p, port, PORT_TCP);
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
