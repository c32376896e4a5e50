/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where the messages of clients come in: the datagrams of a listener, the
 * messages of a connection.
 */
#include "turn/state.h"

#include <stdlib.h>
#include <utlist.h>

#define CHANNEL_HEADER_LEN 4
#define DTLS_FIRST         20 /* RFC 7983 */
#define DTLS_LAST          63

void turn_on_client_batch(void *arg, struct env_udp *u, struct datagram *batch, size_t n)
{
	struct turn_listener *l = arg;
	struct turn *t = l->side.turn;
	struct turn_path path = {.side = &l->side};

	t->now_ms = env_now_ms(t->env);
	for (size_t i = 0; i < n; i++) {
		struct datagram *d = &batch[i];

		path.client = d->peer;
		path.tos = d->tos;
		if (d->len >= CHANNEL_HEADER_LEN && d->data[0] >= 64 && d->data[0] < 128)
			turn_on_channel_data(&path, d->data,
			                     d->len); /* RFC 7983: 64 to 79; to 127 in RFC 5766 */
		else if (stun_msg_looks_like(d->data, d->len))
			turn_on_stun(&path, d->data, d->len);
		else if (t->net && d->len && d->data[0] >= DTLS_FIRST && d->data[0] <= DTLS_LAST)
			t->net->dtls(t->net_ctx, u, l->side.relay4, l->side.relay6, d);
		else
			t->stats.malformed++;
	}
}

struct turn_link *turn_link_new(struct turn *t, const struct turn_link_params *params)
{
	struct turn_link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->side = (struct turn_side){.turn = t,
	                                .number = ++t->sides,
	                                .protocol = params->protocol,
	                                .relay4 = params->relay4,
	                                .relay6 = params->relay6};
	link->params = *params;
	DL_APPEND(t->links, link);
	return link;
}

void turn_link_input(struct turn_link *link, uint8_t *msg, size_t len)
{
	struct turn *t = link->side.turn;
	struct turn_path path = {.side = &link->side, .client = link->params.client};

	t->now_ms = env_now_ms(t->env);
	if (len >= CHANNEL_HEADER_LEN && msg[0] >= 64 && msg[0] < 128)
		turn_on_channel_data(&path, msg, len);
	else if (stun_msg_looks_like(msg, len))
		turn_on_stun(&path, msg, len);
	else
		t->stats.malformed++;
}

bool turn_link_waits(const struct turn_link *link)
{
	return link->waits;
}

void turn_link_free(struct turn_link *link)
{
	struct turn_path path;
	struct turn_tuple tuple;
	struct turn_alloc *a;
	struct turn_parked *p, *next;
	struct turn *t;

	if (!link)
		return;
	t = link->side.turn;
	t->now_ms = env_now_ms(t->env);
	path = (struct turn_path){.side = &link->side, .client = link->params.client};
	tuple = turn_tuple_of(&path);
	a = turn_alloc_find(t, &tuple);
	if (a && !turn_mobile_lost(a, &tuple))
		turn_alloc_close(a, TURN_CLOSE_DISCONNECTED);
	DL_FOREACH_SAFE(t->parked, p, next)
	if (p->path.side == &link->side)
		turn_unpark(t, p);
	DL_DELETE(t->links, link);
	free(link);
}

bool turn_link_has_allocation(const struct turn_link *link)
{
	struct turn_path path = {.side = (struct turn_side *)&link->side,
	                         .client = link->params.client};
	struct turn_tuple tuple = turn_tuple_of(&path);

	return turn_alloc_find(link->side.turn, &tuple) != NULL;
}
