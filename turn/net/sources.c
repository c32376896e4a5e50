/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connections by source address.
 */
#include "turn/net/sources.h"

#include "base/error.h"
#include "base/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 9 /* family, then an IPv4 address or an IPv6 /64 */

struct net_source {
	UT_hash_handle hh;
	uint8_t key[KEY_LEN];
	uint32_t n, undecided;
};

struct net_sources {
	pthread_mutex_t lock;
	struct net_source *table; /* only those with a connection: as bounded as the total is */
	uint32_t connections_per_address, max_tcp_connections;
	size_t total;
};

struct net_sources *net_sources_new(uint32_t connections_per_address, uint32_t max_tcp_connections)
{
	struct net_sources *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	s->connections_per_address = connections_per_address;
	s->max_tcp_connections = max_tcp_connections;
	return s;
}

void net_sources_free(struct net_sources *s)
{
	struct net_source *i, *next;

	if (!s)
		return;
	HASH_ITER (hh, s->table, i, next) {
		HASH_DEL(s->table, i);
		free(i);
	}
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int net_sources_take(struct net_sources *s, const struct addr *from, struct net_source **out)
{
	struct net_source *i = NULL;
	uint8_t key[KEY_LEN] = {0};
	size_t len = 0;
	const uint8_t *ip = from ? addr_ip(from, &len) : NULL;
	int r = -E_LIMIT;

	key[0] = (uint8_t)len;
	if (from)
		memcpy(key + 1, ip, len == 16 ? 8 : 4);
	pthread_mutex_lock(&s->lock);
	if (s->max_tcp_connections && s->total >= s->max_tcp_connections)
		goto out;
	HASH_FIND(hh, s->table, key, KEY_LEN, i);
	if (i && from && s->connections_per_address && i->n >= s->connections_per_address)
		goto out;
	if (!i) {
		r = -E_NOMEM;
		i = calloc(1, sizeof(*i));
		if (!i)
			goto out;
		memcpy(i->key, key, KEY_LEN);
		if (TABLE_ADD(hh, s->table, key, KEY_LEN, i)) {
			free(i);
			goto out;
		}
	}
	i->n++;
	s->total++;
	*out = i;
	r = 0;
out:
	pthread_mutex_unlock(&s->lock);
	return r;
}

void net_sources_give(struct net_sources *s, struct net_source *source)
{
	if (!source)
		return;
	pthread_mutex_lock(&s->lock);
	s->total--;
	if (!--source->n) {
		HASH_DEL(s->table, source);
		free(source);
	}
	pthread_mutex_unlock(&s->lock);
}

void net_sources_set_limits(struct net_sources *s, uint32_t connections_per_address,
                            uint32_t max_tcp_connections)
{
	pthread_mutex_lock(&s->lock);
	s->connections_per_address = connections_per_address;
	s->max_tcp_connections = max_tcp_connections;
	pthread_mutex_unlock(&s->lock);
}

bool net_sources_full(struct net_sources *s)
{
	bool full;

	pthread_mutex_lock(&s->lock);
	full = s->max_tcp_connections && s->total >= s->max_tcp_connections;
	pthread_mutex_unlock(&s->lock);
	return full;
}

uint32_t *net_source_undecided(struct net_source *source)
{
	return &source->undecided;
}

size_t net_sources_total(struct net_sources *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->total;
	pthread_mutex_unlock(&s->lock);
	return n;
}
