/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Allocations counted by user.
 */
#include "turn/quota.h"

#include "base/error.h"
#include "base/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct turn_quota_user {
	UT_hash_handle hh;
	uint32_t allocations;
	struct turn_rate rate[2]; /* by direction */
	char name[];              /* the realm's number in one byte, the name; not terminated */
};

struct turn_quota {
	pthread_mutex_t lock;
	uint32_t user_quota, realm_quota, total_quota;
	size_t total, realm_total[TURN_QUOTA_REALMS];
	struct turn_quota_user *users;
	struct turn_rate rate[2];
};

struct turn_quota *turn_quota_new(uint32_t user_quota, uint32_t total_quota)
{
	struct turn_quota *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->user_quota = user_quota;
	q->total_quota = total_quota;
	pthread_mutex_init(&q->lock, NULL);
	return q;
}

void turn_quota_free(struct turn_quota *q)
{
	struct turn_quota_user *a, *next;

	if (!q)
		return;
	HASH_ITER (hh, q->users, a, next) {
		HASH_DEL(q->users, a);
		free(a);
	}
	pthread_mutex_destroy(&q->lock);
	free(q);
}

void turn_quota_set_limits(struct turn_quota *q, uint32_t user_quota, uint32_t realm_quota,
                           uint32_t total_quota)
{
	pthread_mutex_lock(&q->lock);
	q->user_quota = user_quota;
	q->realm_quota = realm_quota;
	q->total_quota = total_quota;
	pthread_mutex_unlock(&q->lock);
}

/* The realm's number and the name. 0, or -E_LIMIT for one that is too long for any user. */
static int make_key(char key[1 + TURN_QUOTA_NAME_MAX], unsigned int realm, const char *name,
                    size_t len)
{
	if (len > TURN_QUOTA_NAME_MAX)
		return -E_LIMIT;
	key[0] = (char)realm;
	if (len)
		memcpy(key + 1, name, len);
	return 0;
}

/* Locked by the caller, as the next. */
static int take(struct turn_quota *q, const char *key, size_t len, struct turn_quota_user **out)
{
	unsigned char realm = (unsigned char)key[0];
	struct turn_quota_user *a;

	HASH_FIND(hh, q->users, key, len, a);
	if ((q->total_quota && q->total >= q->total_quota) ||
	    (q->realm_quota && q->realm_total[realm] >= q->realm_quota) ||
	    (a && q->user_quota && a->allocations >= q->user_quota))
		return -E_LIMIT;
	if (!a) {
		a = calloc(1, sizeof(*a) + len);
		if (!a)
			return -E_NOMEM;
		memcpy(a->name, key, len);
		if (TABLE_ADD(hh, q->users, name, len, a)) {
			free(a);
			return -E_NOMEM;
		}
	}
	a->allocations++;
	q->total++;
	q->realm_total[realm]++;
	*out = a;
	return 0;
}

static void give(struct turn_quota *q, struct turn_quota_user *user)
{
	q->total--;
	q->realm_total[(unsigned char)user->name[0]]--;
	if (!--user->allocations) {
		HASH_DEL(q->users, user);
		free(user);
	}
}

int turn_quota_take(struct turn_quota *q, unsigned int realm, const char *name, size_t len,
                    struct turn_quota_user **out)
{
	char key[1 + TURN_QUOTA_NAME_MAX];
	int r = make_key(key, realm, name, len);

	if (r)
		return r;
	pthread_mutex_lock(&q->lock);
	r = take(q, key, 1 + len, out);
	pthread_mutex_unlock(&q->lock);
	return r;
}

int turn_quota_pass(struct turn_quota *q, struct turn_quota_user *from, unsigned int realm,
                    const char *name, size_t len, struct turn_quota_user **out)
{
	char key[1 + TURN_QUOTA_NAME_MAX];
	int r = make_key(key, realm, name, len);

	if (r)
		return r;
	pthread_mutex_lock(&q->lock);
	if (from->hh.keylen == 1 + len && !memcmp(from->name, key, 1 + len))
		*out = from;
	else if (!(r = take(q, key, 1 + len, out)))
		give(q, from);
	pthread_mutex_unlock(&q->lock);
	return r;
}

void turn_quota_give(struct turn_quota *q, struct turn_quota_user *user)
{
	if (!user)
		return;
	pthread_mutex_lock(&q->lock);
	give(q, user);
	pthread_mutex_unlock(&q->lock);
}

struct turn_rate *turn_quota_user_rate(struct turn_quota_user *user, enum turn_direction to)
{
	return &user->rate[to];
}

struct turn_rate *turn_quota_rate(struct turn_quota *q, enum turn_direction to)
{
	return &q->rate[to];
}

size_t turn_quota_total(struct turn_quota *q)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->total;
	pthread_mutex_unlock(&q->lock);
	return n;
}

size_t turn_quota_users(struct turn_quota *q)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = HASH_COUNT(q->users);
	pthread_mutex_unlock(&q->lock);
	return n;
}
