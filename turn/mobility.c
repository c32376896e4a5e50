/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Mobility (RFC 8016): a client whose address has changed takes its allocation
 * along. It shows a ticket, which only we can make; each is good for one move:
 *
 *  base64( worker, 1 | serial of the allocation, 8 | random, 5 | HMAC-SHA256, the first 10 )
 *
 * All of it is random but the worker. It is text, and no longer than this, because coturn's client
 * keeps it as a string of 32. The old 5-tuple stays in use until the first data come over the new
 * one. A ticket that lands on another worker brings the allocation over to it.
 */
#include "turn/mobility.h"

#include "base/error.h"
#include "base/hmac.h"
#include "base/log.h"
#include "turn/quota.h"
#include "turn/state.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define CHANCE_LEN 5
#define CLEAR_LEN  (1 + 8 + CHANCE_LEN)
#define MAC_LEN    10
#define RAW_LEN    (CLEAR_LEN + MAC_LEN) /* a multiple of three: no padding */
#define TICKET_LEN (RAW_LEN / 3 * 4)

struct ticket {
	uint8_t worker, chance[CHANCE_LEN];
	uint64_t serial;
};

/* The extra state of an allocation with a ticket. */
struct turn_mobile {
	UT_hash_handle hh; /* by serial, in turn.mobiles */
	struct turn_alloc *alloc;
	uint64_t serial;
	uint8_t chance[CHANCE_LEN]; /* of the ticket that is good */
	uint8_t tid[STUN_TID_LEN];  /* of the Refresh that moved it last */
	UT_hash_handle hh_move;     /* by tuple, in turn.moves */
	bool moving;                /* until the first data from there */
	struct turn_tuple tuple;
	struct turn_path path;
	int fd[2], relay[2]; /* on its way to another worker, as the next ones */
	bool locked;
	uint64_t lock;
};

static bool tuple_equal(const struct turn_tuple *a, const struct turn_tuple *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static void make_ticket(const struct turn *t, const struct ticket *ticket,
                        uint8_t out[TICKET_LEN + 1])
{
	uint8_t raw[RAW_LEN], mac[HMAC_SHA256_LEN];

	raw[0] = ticket->worker;
	memcpy(raw + 1, &ticket->serial, 8); /* only we read it: in our own byte order */
	memcpy(raw + 9, ticket->chance, CHANCE_LEN);
	hmac(HMAC_SHA256, t->conf.ticket_key, TURN_TICKET_KEY_LEN, raw, CLEAR_LEN, mac);
	memcpy(raw + CLEAR_LEN, mac, MAC_LEN);
	EVP_EncodeBlock(out, raw, RAW_LEN);
}

/* Makes it once more from what it says, and compares. */
static bool open_ticket(const struct turn *t, const struct stun_attr *a, struct ticket *out)
{
	uint8_t raw[RAW_LEN], again[TICKET_LEN + 1];
	struct ticket ticket;

	if (a->len != TICKET_LEN || EVP_DecodeBlock(raw, a->value, TICKET_LEN) != RAW_LEN)
		return false;
	ticket.worker = raw[0];
	memcpy(&ticket.serial, raw + 1, 8);
	memcpy(ticket.chance, raw + 9, CHANCE_LEN);
	make_ticket(t, &ticket, again);
	if (CRYPTO_memcmp(again, a->value, TICKET_LEN) != 0)
		return false;
	*out = ticket;
	return true;
}

void turn_mobile_add_ticket(struct turn_request *rq, const struct turn_alloc *a)
{
	struct turn *t = rq->turn;
	struct ticket ticket = {.worker = (uint8_t)t->conf.worker};
	uint8_t text[TICKET_LEN + 1];

	if (!a->mobile)
		return;
	ticket.serial = a->mobile->serial;
	memcpy(ticket.chance, a->mobile->chance, CHANCE_LEN);
	make_ticket(t, &ticket, text);
	stun_out_add(&rq->out, STUN_TYPE_MOBILITY_TICKET, text, TICKET_LEN);
}

/* RFC 8016 section 3.1.2: "if the MOBILITY-TICKET attribute is included, has length zero, but TURN
 * session mobility is forbidden by local policy, the server will reject the request with the new
 * 405", "has non-zero length, then the server MUST generate an error response with an error code of
 * 400". */
int turn_mobile_check_allocate(struct turn_request *rq)
{
	const struct stun_attr *ticket = &rq->msg.attr[STUN_ATTR_MOBILITY_TICKET];

	if (!ticket->value)
		return 0;
	if (ticket->len)
		return 400;
	return rq->turn->conf.mobility ? 0 : 405;
}

/* 0 or -E_NOMEM. */
int turn_mobile_new(struct turn_alloc *a)
{
	struct turn *t = a->turn;
	struct turn_mobile *m = calloc(1, sizeof(*m));

	if (!m)
		return -E_NOMEM;
	m->alloc = a;
	env_random(t->env, &m->serial, sizeof(m->serial));
	env_random(t->env, m->chance, sizeof(m->chance));
	if (TABLE_ADD(hh, t->mobiles, serial, sizeof(m->serial), m)) {
		free(m);
		return -E_NOMEM;
	}
	a->mobile = m;
	return 0;
}

static void stop_moving(struct turn_mobile *m)
{
	if (m->moving)
		HASH_DELETE(hh_move, m->alloc->turn->moves, m);
	m->hh_move.tbl = NULL;
	m->moving = false;
}

void turn_mobile_free(struct turn_alloc *a)
{
	if (!a->mobile)
		return;
	stop_moving(a->mobile);
	if (a->mobile->hh.tbl)
		HASH_DELETE(hh, a->turn->mobiles, a->mobile);
	free(a->mobile);
	a->mobile = NULL;
}

struct turn_alloc *turn_mobile_at(struct turn *t, const struct turn_tuple *tuple)
{
	struct turn_mobile *m;

	HASH_FIND(hh_move, t->moves, tuple, sizeof(*tuple), m);
	return m ? m->alloc : NULL;
}

static void settle(struct turn_alloc *a, const struct turn_tuple *tuple,
                   const struct turn_path *path)
{
	struct turn *t = a->turn;
	int r;

	HASH_DELETE(hh, t->allocs, a);
	turn_nonces_end(t->nonces, &a->tuple);
	a->tuple = *tuple;
	a->nonces_since = turn_nonces_since(t->nonces, tuple);
	a->path = *path;
	r = TABLE_ADD(hh, t->allocs, tuple, sizeof(a->tuple), a);
	turn_journal_note(a, TURN_EVENT_MOVED, &path->client, 0);
	if (a->lock)
		turn_perms_recheck(a); /* the old address is not the client's any more */
	if (r)
		turn_alloc_doom(a);
}

/* No client is behind it now: a 5-tuple that nothing comes from. */
static void unsettle(struct turn_alloc *a)
{
	struct turn_tuple nowhere;
	struct turn_path none;

	memset(&nowhere, 0, sizeof(nowhere));
	memset(&none, 0, sizeof(none));
	nowhere.side = ++a->turn->sides;
	none.client = a->path.client; /* for the log */
	settle(a, &nowhere, &none);
}

static void arrive(struct turn_mobile *m)
{
	struct turn_alloc *a = m->alloc;

	stop_moving(m);
	settle(a, &m->tuple, &m->path);
	a->turn->stats.moves++;
	log_info(a->id, "moved", LOG_ADDR("client", &a->path.client));
}

/* "The TURN server MUST continue [with] the old 5-tuple until it receives a Send Indication or
 * ChannelData message from the client on the new 5-tuple" */
void turn_mobile_on_data(struct turn_alloc *a, const struct turn_tuple *from)
{
	if (a->mobile->moving && tuple_equal(&a->mobile->tuple, from))
		arrive(a->mobile);
}

/* The connection of this 5-tuple is gone. False: so is the allocation. "or a message from the
 * client to close the old connection" */
bool turn_mobile_lost(struct turn_alloc *a, const struct turn_tuple *tuple)
{
	struct turn_mobile *m = a->mobile;

	if (!m)
		return false;
	if (m->moving && tuple_equal(&m->tuple, tuple))
		stop_moving(m);
	else if (m->moving)
		arrive(m);
	else
		unsettle(a);
	return true;
}

/* Nothing can come from where it was moving to. */
void turn_mobile_side_lost(struct turn_alloc *a, const struct turn_side *side)
{
	if (a->mobile && a->mobile->moving && a->mobile->path.side == side)
		stop_moving(a->mobile);
}

static struct turn_mobile *find_serial(struct turn *t, uint64_t serial)
{
	struct turn_mobile *m;

	HASH_FIND(hh, t->mobiles, &serial, sizeof(serial), m);
	return m;
}

/* Before the credentials are checked: the user's key is known to the allocation. */
void turn_mobile_find(struct turn_request *rq)
{
	struct turn_mobile *m;
	struct ticket ticket;

	if (!open_ticket(rq->turn, &rq->msg.attr[STUN_ATTR_MOBILITY_TICKET], &ticket) || rq->alloc)
		return;
	m = find_serial(rq->turn, ticket.serial);
	if (m && !turn_alloc_expire(m->alloc))
		rq->alloc = m->alloc;
}

/* Asks the worker that has it; the request waits for what comes. */
static int fetch(struct turn_request *rq, const struct ticket *ticket)
{
	struct turn *t = rq->turn;
	struct turn_fetch f = {
	    .asker = t->conf.worker, .ticket = ++t->tickets, .serial = ticket->serial};

	if (t->fetch_result)
		return t->fetch_result;
	if (!t->mobility || rq->auth.username_len > sizeof(f.username))
		return 400;
	memcpy(f.chance, ticket->chance, sizeof(f.chance));
	f.realm = rq->realm;
	f.third_party = rq->auth.third_party;
	if (f.third_party)
		f.key = *rq->key;
	f.username_len = rq->auth.username_len;
	memcpy(f.username, rq->auth.username, rq->auth.username_len);
	if (!turn_park(rq, f.ticket))
		return turn_not_parked(rq);
	if (t->mobility->fetch(t->mobility_ctx, ticket->worker, &f))
		return 400;
	return TURN_SILENT;
}

/* Section 3.2.2; the sender is authenticated. 0: go on as with any Refresh. */
int turn_mobile_refresh(struct turn_request *rq)
{
	struct turn *t = rq->turn;
	struct turn_alloc *a = rq->alloc;
	struct ticket ticket;
	struct turn_mobile *m;

	/* "if [...] mobility is forbidden by local policy [...] 405" */
	if (!t->conf.mobility)
		return 405;
	/* "If the ticket is invalid, then the server MUST reject with a 400" */
	if (!open_ticket(t, &rq->msg.attr[STUN_ATTR_MOBILITY_TICKET], &ticket))
		return 400;
	m = a ? a->mobile : NULL;
	if (m && (tuple_equal(&a->tuple, &rq->tuple) || tuple_equal(&m->tuple, &rq->tuple))) {
		/* "The old ticket can only be used for the purposes of retransmission." */
		if (tuple_equal(&m->tuple, &rq->tuple) &&
		    !memcmp(m->tid, rq->msg.tid, STUN_TID_LEN))
			return 0;
		/* "If the source IP address and port of the Refresh request [...] is the same as
		 * the stored 5-tuple allocation, the TURN server rejects the request with a 400" */
		if (tuple_equal(&a->tuple, &rq->tuple) || m->moving)
			return 400;
	}
	if (a && (!m || m->serial != ticket.serial)) /* this 5-tuple has another allocation */
		return 437;
	if (!a)
		return ticket.worker == t->conf.worker ? 437 : fetch(rq, &ticket);
	if (memcmp(m->chance, ticket.chance, CHANCE_LEN) != 0)
		return 400;
	/* "the TURN server updates its state data with the new client IP address and port but does
	 * not discard the old 5-tuple", "The new ticket sent in the refresh response MUST be
	 * different from the old ticket." */
	stop_moving(m);
	m->tuple = rq->tuple;
	m->path = rq->path;
	if (!a->path.side) {
		arrive(m);
	} else {
		if (TABLE_ADD(hh_move, t->moves, tuple, sizeof(m->tuple), m)) {
			memset(&m->tuple, 0, sizeof(m->tuple));
			return 508; /* the ticket is still good */
		}
		m->moving = true;
	}
	env_random(t->env, m->chance, sizeof(m->chance));
	memcpy(m->tid, rq->msg.tid, sizeof(m->tid));
	return 0;
}

void turn_set_mobility(struct turn *t, const struct turn_mobility_ops *ops, void *ctx)
{
	t->mobility = ops;
	t->mobility_ctx = ctx;
}

/* Out of every table; its sockets stay open. */
static void detach(struct turn_alloc *a)
{
	struct turn *t = a->turn;
	struct turn_mobile *m = a->mobile;

	turn_journal_end(a, "moved");
	stop_moving(m);
	HASH_DELETE(hh, t->mobiles, m);
	HASH_DELETE(hh, t->allocs, a);
	turn_nonces_end(t->nonces, &a->tuple);
	m->hh.tbl = NULL;
	a->hh.tbl = NULL;
	t->live--;
	m->locked = a->lock != NULL;
	m->lock = turn_lock_leave(a);
	turn_alloc_unschedule(a);
	for (int i = 0; i < 2; i++) {
		if (!a->half[i].expires_ms)
			continue;
		m->relay[i] = (int)(a->half[i].via - t->conf.relay);
		m->fd[i] = env_udp_release(a->half[i].udp);
		a->half[i].udp = NULL;
		t->halves--;
	}
}

static bool is_same_user(const struct turn_alloc *a, const struct turn_fetch *f)
{
	if (a->realm != f->realm || a->third_party != f->third_party)
		return false;
	if (a->third_party)
		return a->key.len == f->key.len &&
		       !CRYPTO_memcmp(a->key.bytes, f->key.bytes, f->key.len);
	return a->username_len == f->username_len &&
	       !memcmp(a->username, f->username, f->username_len);
}

int turn_give(struct turn *t, const struct turn_fetch *f, struct turn_alloc **out)
{
	struct turn_mobile *m;

	t->now_ms = env_now_ms(t->env);
	m = find_serial(t, f->serial);
	if (!m || turn_alloc_expire(m->alloc))
		return 437;
	if (memcmp(m->chance, f->chance, CHANCE_LEN) != 0)
		return 400;
	/* "it is the same user that had previously created the TURN allocation [...] 441" */
	if (!is_same_user(m->alloc, f))
		return 441;
	*out = m->alloc;
	detach(m->alloc);
	return 0;
}

/* False when a socket cannot be had here: the allocation is as good as closed. */
static bool attach(struct turn *t, struct turn_alloc *a)
{
	struct turn_mobile *m = a->mobile;
	bool ok = true;

	a->turn = t;
	for (int i = 0; i < 2; i++) {
		struct env_udp_params p = {.on_batch = turn_on_relay_batch,
		                           .on_error = turn_on_relay_error,
		                           .arg = &a->half[i]};

		if (!a->half[i].expires_ms)
			continue;
		a->half[i].via = &t->conf.relay[m->relay[i]];
		t->halves++;
		p.fd = m->fd[i];
		if (env_udp_open(t->env, &p, &a->half[i].udp)) {
			env_udp_discard(t->env, p.fd);
			ok = false;
		}
	}
	memset(&a->tuple, 0, sizeof(a->tuple));
	a->tuple.side = ++t->sides;
	a->path.side = NULL;
	if (m->locked) {
		ok &= !turn_lock_enter(a, m->lock);
		turn_perms_recheck(a); /* the lock may have lost peers meanwhile */
	}
	ok &= !TABLE_ADD(hh, t->mobiles, serial, sizeof(m->serial), m);
	ok &= !TABLE_ADD(hh, t->allocs, tuple, sizeof(a->tuple), a);
	t->live++;
	turn_journal_begin(a);
	turn_alloc_set_lifetime(a, 0, 0);
	return ok;
}

void turn_take(struct turn *t, uint64_t ticket, struct turn_alloc *a, int code)
{
	struct turn_mobile *m;
	uint64_t serial = 0;

	t->now_ms = env_now_ms(t->env);
	if (a && !attach(t, a)) {
		turn_alloc_close(a, TURN_CLOSE_DISCONNECTED);
		a = NULL;
		code = 437;
	}
	/* The worker that it comes from may not have known yet what this one knows. */
	if (a && !turn_is_alive(a)) {
		turn_alloc_close(a, TURN_CLOSE_REVOKED);
		a = NULL;
		code = 437;
	}
	if (a)
		serial = a->mobile->serial;
	t->fetch_result = a ? 0 : code;
	turn_auth_answered(t, ticket);
	t->fetch_result = 0;
	/* It may have been deleted meanwhile: check that a request still waits for it. */
	m = a ? find_serial(t, serial) : NULL;
	if (m && !m->alloc->path.side)
		turn_alloc_close(m->alloc, TURN_CLOSE_DISCONNECTED);
}
