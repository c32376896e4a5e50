/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the files of turn/: the server, its allocations and a request on its way through the
 * checks. Not for other folders.
 */
#ifndef TURN_STATE_H
#define TURN_STATE_H

#include "base/table.h"
#include "turn/journal.h"
#include "turn/ports.h"
#include "turn/rate.h"
#include "turn/tcp.h"
#include "turn/turn.h"

#define TURN_REFLECTION_MAX                                                                        \
	3 /* the largest reply, in lengths of its request; a challenge may be longer */
#define TURN_WHEEL_SLOTS   1024    /* seconds; an allocation waits in slot expiry % slots */
#define TURN_PERMISSION_MS 300000u /* RFC 8656 section 9: five minutes */
#define TURN_CHANNEL_MS    600000u /* RFC 8656 section 12: ten minutes */
#define TURN_PARKED_MAX    256
#define TURN_PARKED_MS     5000u
#define TURN_GRAVES        128
#define TURN_GRAVE_MS      40000u /* RFC 8489 section 6.3.1: a client repeats a request for 39.5 s */
#define TURN_REQUEST_MAX   2048   /* a longer request is not TURN's */

/* The 5-tuple: our address and the protocol are the side's. Without padding: it is hashed. */
struct turn_tuple {
	uint8_t ip[16];
	uint16_t port;
	uint16_t family;
	uint32_t side;
};

/* Our end of a 5-tuple: what a UDP listener and a link have in common. */
struct turn_side {
	struct turn *turn;
	uint32_t number; /* never used twice */
	enum turn_protocol protocol;
	int relay4, relay6;
};

struct turn_listener {
	struct turn_side side; /* first */
	struct env_udp *udp;
	struct turn_listener *next;
	/* RFC 5780: those with another IP, another port, and both; all or none */
	struct turn_listener *other_ip, *other_port, *other;
	struct addr external; /* as clients see it */
	bool discovery;
};

/* A client's connection: TCP, TLS or DTLS. */
struct turn_link {
	struct turn_side side; /* first */
	struct turn_link_params params;
	bool waits; /* for the answer to a parked request */
	struct turn_link *prev, *next;
};

/* The way to a client. */
struct turn_path {
	/* a turn_listener's for plain UDP, else a turn_link's; NULL: the client is on the move */
	struct turn_side *side;
	struct addr client;
	uint8_t tos; /* of the client's last datagram */
};

struct turn_perm {
	uint8_t ip[16], ip_len;
	uint64_t until_ms;
	bool own; /* the IP is a relay's: unleased ports stay forbidden, both ways */
};

struct turn_chan {
	uint16_t number;
	uint64_t until_ms;
	struct addr peer; /* in the client's form */
	struct addr wire; /* the address to send to: a relay of ours behind NAT has another */
	struct turn_lease lease; /* of the peer, a relay of ours, when the permission was made */
};

/* An allocation's relayed transport address of one family (RFC 8656 calls two of them a dual
 * allocation). */
struct turn_half {
	struct turn_alloc *alloc;
	const struct turn_relay *via;
	struct env_udp *udp; /* bound to it, inside view */
	void *tcp;           /* the listener, instead, in a TCP allocation */
	uint16_t port;       /* inside view, leased from via */
	struct addr relayed; /* as the client sees it */
	uint64_t expires_ms; /* 0: there is none */
};

/* What has been reported of an allocation so far. */
struct turn_told {
	bool begun;
	uint32_t relayed_s;
	uint64_t allocated_ms;
	uint64_t to_peer_packets, to_peer_bytes, to_client_packets, to_client_bytes;
};

struct turn_alloc {
	UT_hash_handle hh;
	struct turn_tuple tuple;
	struct turn *turn;
	struct turn_path path;
	struct turn_half half[2]; /* IPv4, IPv6 */
	struct turn_peer_conn *conns;
	uint16_t conn_n;
	struct turn_mobile *mobile; /* NULL: it has no ticket */
	struct turn_quota_user *quota_user;
	struct turn_quota_user
	    *second;              /* the quota place of a port to reserve, until it is reserved */
	struct turn_slot *record; /* in the journal; NULL: none */
	bool noted_stranger, noted_unpermitted, noted_locked;
	struct turn_lock *lock; /* NULL: any peer that the policy allows is legal */
	struct turn_alloc *lock_prev, *lock_next;
	struct stun_key key;   /* proved the last request */
	uint16_t nonces_since; /* generation of the oldest nonces that it takes */
	int64_t key_source;    /* what that key was made from: see turn_auth_answer */
	unsigned int realm;    /* index into the configuration's */
	bool third_party;
	int64_t credential_expires_at_s; /* Unix time; 0: never */
	uint64_t created_ms;
	uint64_t due_ms;                /* when the first half ends; 0: not in the wheel */
	struct turn_alloc *prev, *next; /* in the wheel */
	struct turn_perm *perms;
	struct turn_chan *chans;
	uint16_t perm_n, perm_cap, chan_n, chan_cap;
	uint16_t
	    missing_code; /* why a dual allocation has only one half; 0: it was not asked for */
	uint8_t missing_family;
	uint8_t icmp_n; /* ICMP errors reported in this second */
	uint64_t icmp_s;
	bool has_token;
	uint8_t token[8];
	uint8_t tid[STUN_TID_LEN]; /* of the Allocate request, to recognize its retransmission */
	uint64_t to_peer_packets, to_peer_bytes, to_client_packets, to_client_bytes;
	uint64_t bandwidth_drops;
	uint64_t second_ms; /* the start of the last second with traffic */
	uint32_t relayed_s; /* seconds with traffic */
	struct turn_told told;
	struct turn_rate rate[2]; /* by direction */
	uint32_t user_credit[2];  /* bytes leased from the user's rate */
	char id[20];
	uint16_t username_len;
	char username[]; /* not terminated */
};

struct turn_parked {
	struct turn_parked *prev, *next;
	uint64_t ticket, until_ms;
	struct turn_path path;
	size_t len;
	uint64_t packet[]; /* aligned */
};

/* Remembers a Refresh that ended an allocation, to answer its retransmission the same way. */
struct turn_grave {
	struct turn_tuple tuple;
	uint8_t tid[STUN_TID_LEN];
	uint64_t until_ms;
};

struct turn {
	struct env *env;
	struct turn_conf conf;
	const struct turn_auth_ops *auth;
	void *auth_ctx;
	struct turn_nonces *nonces;
	uint32_t features; /* named in nonces */
	bool draining;
	struct turn_limiter *unauth, *guesses, *bindings;
	bool behind_nat; /* a relay's external address is not its local one */
	uint32_t sides;  /* the last number given */
	struct turn_listener *listeners;
	struct turn_link *links;
	turn_usage_fn *usage; /* or NULL */
	void *usage_ctx;
	const struct turn_net_ops *net; /* or NULL */
	void *net_ctx;
	struct turn_peer_conn *conns; /* by id */
	struct turn_alloc *allocs;    /* by tuple */
	struct turn_lock *locks;      /* by id */
	size_t live;                  /* allocations */
	struct turn_alloc *wheel[TURN_WHEEL_SLOTS];
	uint64_t wheel_s; /* the wheel's position */
	struct env_timer *tick;
	uint64_t now_ms; /* read once a batch */
	uint64_t sessions;
	size_t halves;               /* relayed addresses of all allocations */
	struct turn_mobile *mobiles; /* by serial */
	struct turn_mobile *moves; /* by the new 5-tuple, while data still come over the old one */
	const struct turn_mobility_ops *mobility;
	void *mobility_ctx;
	int fetch_result; /* why an allocation was not handed over, while its request runs again */
	struct turn_parked *parked;
	size_t parked_n;
	uint64_t tickets;
	struct turn_grave graves[TURN_GRAVES];
	size_t next_grave;
	uint32_t total_credit[2]; /* bytes leased from the rate of all workers */
	uint8_t indication_tid[STUN_TID_LEN];
	struct turn_journal *journal; /* or NULL */
	struct turn_stats stats;
};

/* A request (or a Send indication) on its way. */
struct turn_request {
	struct turn *turn;
	struct turn_path path;
	struct turn_tuple tuple;
	struct stun_msg msg;
	struct turn_alloc *alloc; /* of this 5-tuple, or NULL; of conn in a ConnectionBind */
	struct turn_peer_conn *conn;
	unsigned int realm; /* index into the configuration's */
	bool realm_known;   /* the request names it */
	bool is_challenge;  /* the reply is a 401 or 438 */
	uint8_t fault;      /* enum turn_fault, of a 401 */
	bool sha256;        /* ask for the user's SHA-256 key, not the MD5 one */
	struct turn_auth_answer auth;
	char token_user[16];        /* the user of an access token */
	const struct stun_key *key; /* set once the sender is authenticated */
	int64_t key_source;         /* of that key */
	uint64_t reply_buf[STUN_REPLY_MAX / 8];
	struct stun_out out;
};

/* 0: go on with the next check. Positive: the STUN error code to answer with. TURN_SILENT: say
 * nothing. */
typedef int turn_check_fn(struct turn_request *rq);
#define TURN_SILENT (-1)

/* A peer is refused with 403 because its lock does not have it. */
#define TURN_PEER_LOCKED (-403)

/* request.c: the way of a request */
void turn_on_stun(const struct turn_path *path, uint8_t *buf, size_t len);
void turn_on_late(const struct turn_path *path, uint8_t *buf, size_t len); /* answers 500 */

/* reply.c: the one place that replies */
void turn_reply_start(struct turn_request *rq, enum stun_class class);
void turn_reply_send(struct turn_request *rq);
size_t turn_reply_room(const struct turn_request *rq);
enum stun_integrity turn_reply_integrity(const struct turn_request *rq);
int turn_run_checks(struct turn_request *rq, turn_check_fn *const *checks, size_t n);

/* error_reply.c */
void turn_reply_error(struct turn_request *rq, int code);
const struct addr *turn_alternate(const struct turn *t, int family);

/* challenge.c: replies to unauthenticated clients */
#define TURN_ALGORITHMS_LEN 8
extern const uint8_t turn_password_algorithms[TURN_ALGORITHMS_LEN];
void turn_challenge_init(struct turn *t);
size_t turn_challenge_len(const struct turn_request *rq);
void turn_challenge(struct turn_request *rq, int code);

/* auth.c */
turn_check_fn turn_check_credentials;
turn_check_fn turn_check_same_user;
void turn_token_note_unknown(struct turn_request *rq);
/* True while the credential of an allocation or a reservation is valid. */
bool turn_is_alive(const struct turn_alloc *a);
bool turn_holder_is_alive(const struct turn *t, const struct turn_holder *h);
struct turn_holder turn_holder_of(const struct turn_alloc *a);
bool turn_knows_source(const struct turn_request *rq);

/* parked.c */
bool turn_park(struct turn_request *rq, uint64_t ticket);
int turn_not_parked(const struct turn_request *rq); /* the code to answer with, or TURN_SILENT */
void turn_unpark(struct turn *t, struct turn_parked *p); /* and frees it, unanswered */
void turn_expire_parked(struct turn *t);
#define TURN_TICKET_LOCKS 0              /* those that wait for news of locks */
void turn_unpark_locked(struct turn *t); /* tries them all again */

/* one STUN method, one file: returns 0 (it has replied), an error code or TURN_SILENT */
int turn_binding(struct turn_request *rq);

/* discovery.c: extra requests in a Binding */
void turn_find_counterparts(struct turn *t);
void turn_discovery_note_unknown(struct turn_request *rq);
turn_check_fn turn_discovery_check;
void turn_discovery_reply(struct turn_request *rq);
bool turn_is_discovery(
    const struct turn_request *rq); /* True when the Binding gets the full answer */
int turn_allocate(struct turn_request *rq);
int turn_refresh(struct turn_request *rq);
int turn_create_permission(struct turn_request *rq);
int turn_channel_bind(struct turn_request *rq);
void turn_send(struct turn_request *rq);
int turn_connect(struct turn_request *rq);
int turn_connection_bind_find(struct turn_request *rq);
int turn_connection_bind(struct turn_request *rq);

/* connect.c, too */
void turn_conns_expire(struct turn *t);
void turn_conns_recheck(struct turn *t); /* the policy has changed */
void turn_conns_recheck_of(struct turn_alloc *a);
void turn_conns_close(struct turn_half *half);

/* allocation.c */
struct turn_alloc *turn_alloc_find(struct turn *t, const struct turn_tuple *tuple);
struct turn_alloc *turn_alloc_new(struct turn_request *rq);
int turn_alloc_add(struct turn_alloc *a); /* 0 or -E_NOMEM */
void turn_alloc_doom(struct turn_alloc *a);
void turn_alloc_close(struct turn_alloc *a, enum turn_close_reason reason);
void turn_alloc_free(struct turn_alloc *a);
/* Which of the halves; both for a request that names no family */
enum { TURN_HALF4 = 1, TURN_HALF6 = 2, TURN_HALVES = 3 };
void turn_alloc_set_lifetime(struct turn_alloc *a, unsigned int halves, uint32_t lifetime_s);
bool turn_alloc_end_halves(struct turn_alloc *a, unsigned int halves);
bool turn_alloc_expire(struct turn_alloc *a);
void turn_allocs_expire(struct turn *t);
turn_check_fn turn_check_lifetime;
uint32_t turn_lifetime(const struct turn_request *rq);

void turn_alloc_unschedule(struct turn_alloc *a);

/* mobility.c */
turn_check_fn turn_mobile_check_allocate;
int turn_mobile_new(struct turn_alloc *a);
void turn_mobile_free(struct turn_alloc *a);
void turn_mobile_add_ticket(struct turn_request *rq, const struct turn_alloc *a);
void turn_mobile_find(struct turn_request *rq);
int turn_mobile_refresh(struct turn_request *rq);
struct turn_alloc *turn_mobile_at(struct turn *t, const struct turn_tuple *tuple);
void turn_mobile_on_data(struct turn_alloc *a, const struct turn_tuple *from);
bool turn_mobile_lost(struct turn_alloc *a, const struct turn_tuple *tuple);
void turn_mobile_side_lost(struct turn_alloc *a, const struct turn_side *side);

/* permission.c: perm lookups are on the data path */
struct turn_perm *turn_perm_find(struct turn_alloc *a, const struct addr *peer);
int turn_perm_check_peer(struct turn_alloc *a, const struct addr *peer, bool with_port);
int turn_perm_set(struct turn_alloc *a, const struct addr *peer);
int turn_perm_reserve(struct turn_alloc *a, size_t more);
void turn_perms_end(struct turn_alloc *a, int family);
void turn_perms_recheck(struct turn_alloc *a);

/* lock.c */
int turn_lock_enter(struct turn_alloc *a, uint64_t id); /* 0 or -E_NOMEM */
uint64_t turn_lock_leave(struct turn_alloc *a);         /* its id; legal without a lock */
bool turn_lock_stops(const struct turn_alloc *a, const struct addr *peer);
void turn_locks_free(struct turn *t);
/* Counts and notes that a peer is refused, by 443, 403 or TURN_PEER_LOCKED. The code to answer
 * with, or TURN_SILENT. */
int turn_refuse_peer(struct turn_request *rq, const struct addr *peer, int why);

/* channel.c */
struct turn_chan *turn_chan_by_number(struct turn_alloc *a, uint16_t number);
struct turn_chan *turn_chan_by_peer(struct turn_alloc *a, const struct addr *peer);
void turn_chans_end(struct turn_alloc *a, int family);

/* usage.c */
void turn_usage_tell(struct turn_alloc *a, bool ended);

/* On the data path: marks this second as one with traffic. */
static inline void turn_usage_mark(struct turn_alloc *a)
{
	if (a->turn->now_ms - a->second_ms < 1000 && a->relayed_s)
		return;
	a->second_ms = a->turn->now_ms;
	a->relayed_s++;
}

/* listener.c */
void turn_end_lost_relays(struct turn *t, const struct turn_conf *fresh);
/* A connection keeps its first relay, whose address may have gone since: returns another of the
 * family, or the same if there is none. */
int turn_usable_relay(const struct turn *t, int relay, int family);

/* client.c */
env_udp_batch_fn turn_on_client_batch;

/* path.c */
struct turn_tuple turn_tuple_of(const struct turn_path *path);
struct turn_half *turn_half_for(struct turn_alloc *a, const struct addr *peer);
void turn_path_send(const struct turn_path *path, const uint8_t *data, size_t len);
void turn_path_send_as(const struct turn_path *path, const uint8_t *data, size_t len, uint8_t tos);
bool turn_path_is_stream(const struct turn_path *path);

/* relay.c: the data path */
void turn_on_channel_data(const struct turn_path *path, uint8_t *data, size_t len);
env_udp_batch_fn turn_on_relay_batch;
void turn_relay_to_peer(struct turn_half *half, const struct addr *wire, uint8_t *data, size_t len,
                        uint8_t tos, bool dont_fragment);
const uint8_t *turn_next_indication_tid(struct turn *t);

/* bandwidth.c: true, and spends it, when a datagram is within the limit. */
bool turn_bandwidth_take(struct turn_alloc *a, enum turn_direction to, size_t len);
/* The same for a stream, which has waited so long already: 0, or the ms until the next try; and the
 * count of what has passed. */
uint64_t turn_bandwidth_wait_ms(struct turn_alloc *a, enum turn_direction to, uint64_t waited_ms);
void turn_bandwidth_charge(struct turn_alloc *a, enum turn_direction to, size_t len);

/* icmp.c */
env_udp_error_fn turn_on_relay_error;

/* relayed_address.c: external is as clients see it */
const struct turn_relay *turn_relay_at(const struct turn *t, const struct addr *external);
struct addr turn_wire_addr(const struct turn *t, const struct addr *peer);
struct addr turn_outside_addr(const struct turn *t, const struct addr *from);

#endif
