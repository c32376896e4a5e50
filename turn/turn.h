/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One worker's STUN/TURN server (RFC 8489, RFC 8656): listeners, allocations, permissions,
 * channels. It owns no thread and no loop: its environment calls it with datagrams and timers, and
 * it gets keys through turn_auth_ops.
 */
#ifndef TURN_TURN_H
#define TURN_TURN_H

#include "base/env.h"
#include "turn/nonce.h"
#include "turn/stats.h"
#include "turn/stun_msg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TURN_KEYS_MAX       8
#define TURN_REALMS_MAX     16
#define TURN_ALTERNATES_MAX 16
#define TURN_RELAYS_MAX     64
#define TURN_NAME_MAX       508 /* RFC 8489 section 14.3: USERNAME is shorter than 509 bytes */
#define TURN_REALM_MAX      763 /* RFC 8489 section 14.9 */
#define TURN_NO_RELAY       (-1)
#define TURN_TICKET_KEY_LEN 32

struct turn;
struct turn_link;
struct turn_oauth;
struct turn_ports;
struct turn_quota;
struct peer_policy;

struct turn_auth_query {
	const char *realm;
	const char *username;    /* any bytes, not terminated; NULL: only userhash is known */
	const uint8_t *userhash; /* STUN_USERHASH_LEN bytes, or NULL */
	size_t username_len;
	bool sha256;     /* ask for the SHA-256 key, not the MD5 one */
	uint64_t ticket; /* for turn_auth_answered() */
};

struct turn_auth_answer {
	size_t key_n; /* one for each live secret */
	struct stun_key key[TURN_KEYS_MAX];
	int64_t key_source[TURN_KEYS_MAX]; /* what each key was made from, as alive() is to know it:
	                                    * a number of the ops' own, 0 for none */
	int64_t expires_at_s;              /* Unix time; 0: never */
	bool third_party; /* by an access token: expiry binds a running session, too */
	bool locked;      /* relays only towards the peers of lock (turn/lock.h) */
	uint64_t lock;
	/* Both may point into the query or into memory of the ops, valid until the caller's next
	 * call. */
	const char *username; /* as in the query; for a userhash, its user */
	size_t username_len;
	const char *quota_user; /* counted in the quota */
	size_t quota_user_len;
};

/* The credential of an allocation. */
struct turn_auth_session {
	const char *realm;
	const char *username; /* any bytes, not terminated */
	size_t username_len;
	const struct stun_key *key; /* that its last request was proved with */
	int64_t key_source;         /* of that key, as keys() gave it */
};

/* Looks up users and keys. */
struct turn_auth_ops {
	/* 0 and the answer; -E_NOTFOUND (401); -E_LATER: the server keeps the request and asks
	 * again after turn_auth_answered() with the ticket. Must not call back into turn. */
	int (*keys)(void *ctx, const struct turn_auth_query *query, struct turn_auth_answer *out);
	/* False when a session's credential is no longer valid (the user was deleted or revoked,
	 * the password changed, the secret ended): its allocation closes. Not called for a third
	 * party's. */
	bool (*alive)(void *ctx, const struct turn_auth_session *session);
	/* Optional: the server refused credentials with 401, to a client that is known to be at
	 * that address (its nonce was valid). why: as in the journal. username: any bytes, NULL for
	 * a userhash. Must not call back into turn. */
	void (*refused)(void *ctx, const struct addr *client, const char *why, const char *username,
	                size_t len);
	/* Optional: true while news of locks are under way to this server (turn_lock_set()). What
	 * they may change is not refused meanwhile: the request waits for them. */
	bool (*lock_waits)(void *ctx);
};

/* turn_auth_ops.alive where keys never end, as in the simulator. */
bool turn_auth_keys_stay(void *ctx, const struct turn_auth_session *session);

/* The presence of an address on this host, whose addresses may change. */
enum turn_presence {
	TURN_HERE,
	TURN_AWAY, /* maybe only for a moment: serves nothing new, existing sessions go on */
	TURN_GONE, /* everything built on it ends */
};

/* An address to relay from. */
struct turn_relay {
	struct addr local;        /* bound to; the port is ignored */
	struct addr external;     /* as clients and peers see it, behind 1:1 NAT; else as local */
	struct turn_ports *ports; /* borrowed */
	enum turn_presence presence;
};

struct turn_conf {
	/* The first is for clients that name none. Each of up to TURN_REALM_MAX bytes. */
	const char *realm[TURN_REALMS_MAX];
	size_t realm_n;
	bool username_anonymity; /* asks clients of RFC 8489 for USERHASH: static users only */
	uint32_t unauth_rate;    /* error replies to unauthenticated clients, per second and source
	                          * address (turn/limiter.h); 0: no limit */
	uint32_t binding_rate;   /* Binding replies over UDP, likewise */
	const struct turn_oauth *oauth; /* third-party authorization (RFC 7635); NULL: none */
	struct addr alternate_server[TURN_ALTERNATES_MAX];
	size_t alternate_server_n;
	const char *alternate_domain; /* the name in the alternates' certificates; NULL: ours */
	bool redirect;                /* send every new allocation to an alternate */
	struct turn_relay relay[TURN_RELAYS_MAX];
	size_t relay_n;
	const struct peer_policy *policy;
	struct turn_quota *quota;
	uint32_t default_lifetime_s; /* RFC 8656 section 3.2: 600 */
	uint32_t max_lifetime_s;     /* 3600 */
	uint32_t nonce_lifetime_s;   /* 3600 */
	uint32_t permissions_max;    /* an allocation */
	uint32_t channels_max;       /* an allocation */
	uint64_t session_bandwidth;  /* bytes/s of an allocation, each direction; 0: no limit */
	uint64_t user_bandwidth;     /* of a user's allocations */
	uint64_t total_bandwidth;    /* of all */
	uint32_t peer_connections;   /* to peers, a TCP allocation */
	bool legacy_channels;        /* 0x5000 to 0x7FFF, too (RFC 5766) */
	bool mobility;               /* a client may move to another address (RFC 8016) */
	uint8_t ticket_key[TURN_TICKET_KEY_LEN]; /* equal in all workers */
	bool strict_expiry;                      /* an expired credential cannot refresh either */
	unsigned int worker;                     /* for session ids */
	uint32_t explain_sessions; /* sessions that it remembers (turn/journal.h); 0: none */
};

struct turn_listener_conf {
	struct addr local;
	int fd;             /* bound UDP socket, owned by turn on success; -1: opens one on local */
	int relay4, relay6; /* index into conf.relay for either family, or TURN_NO_RELAY */
	struct addr external; /* as clients see it, behind 1:1 NAT; AF_UNSPEC: as local */
	/* Answers NAT behaviour discovery (RFC 5780), together with three other listeners: two IPs
	 * and two ports of a family, in every combination. */
	bool discovery;
	bool gone; /* the address has left this host: its clients' sessions end */
};

/* A client's connection: its owner feeds it with whole messages and carries out these. */
struct turn_link_ops {
	/* Sends one whole message; copies it. May drop it when the client does not read: TURN is a
	 * datagram service. Must not free the link before it returns. */
	void (*send)(void *ctx, const uint8_t *data, size_t len);
	/* turn_link_waits() has become false: the owner may hand over more, but not before this
	 * returns. NULL for DTLS. */
	void (*resume)(void *ctx);
};

struct turn_link_params {
	enum turn_protocol protocol; /* not TURN_UDP */
	struct addr client;          /* the server-reflexive transport address */
	int relay4, relay6;          /* as for a listener */
	const struct turn_link_ops *ops;
	void *ctx;
};

/* Borrows env, the pointers in conf, and ops for its life; copies conf itself. NULL when out of
 * memory. */
struct turn *turn_new(struct env *env, const struct turn_conf *conf,
                      const struct turn_auth_ops *auth, void *auth_ctx);

/* Closes every allocation. Its links must be gone. NULL is legal. */
void turn_free(struct turn *t);

/* Starts to serve on an address. 0 or env_udp_open()'s codes; on failure fd stays the caller's. */
int turn_listen(struct turn *t, const struct turn_listener_conf *conf);

/* Replaces the listeners: opens new ones, closes missing ones with their clients' sessions, and
 * gives the clients of the others their relays. Takes all fds. 0, or the first error of those that
 * it could not open. */
int turn_set_listeners(struct turn *t, const struct turn_listener_conf *v, size_t n);

/* NULL when out of memory. */
struct turn_link *turn_link_new(struct turn *t, const struct turn_link_params *params);

/* Takes one whole message of the stream (turn/framing.h) or one DTLS record. Borrows msg, aligned
 * to 4, and may change it. */
void turn_link_input(struct turn_link *link, uint8_t *msg, size_t len);

/* True while a request of this stream waits for its answer. Later messages may depend on it: hand
 * over nothing more until the resume op is called. Always false for DTLS. */
bool turn_link_waits(const struct turn_link *link);

/* The connection is gone: its allocations close. NULL is legal. */
void turn_link_free(struct turn_link *link);

/* New nonces use this key; those of the previous key stay valid, older ones are stale (438). */
void turn_set_nonce_key(struct turn *t, const uint8_t key[TURN_NONCE_KEY_LEN]);

/* Applies a new configuration, to running sessions too: limits, rates, lifetimes, policy,
 * alternates and access tokens' keys change. Ends permissions that the policy no longer allows, and
 * allocations whose token's key has gone or changed, or whose relay (by its index) is TURN_GONE or
 * has another address now. Running allocations are built on realms, quota, ticket_key, worker and
 * username_anonymity: these stay. Copies conf; its pointers are borrowed until the next call. */
void turn_set_conf(struct turn *t, const struct turn_conf *conf);

/* While true, refuses new allocations: 300 to an alternate of the client's family, else 508.
 * Running ones go on. */
void turn_set_draining(struct turn *t, bool draining);

/* The key that keys() promised with -E_LATER is available now. Unknown tickets are ignored. */
void turn_auth_answered(struct turn *t, uint64_t ticket);

/* Users or secrets may have gone: closes the allocations for which alive() is false. */
void turn_recheck_users(struct turn *t);

/* The use of an allocation since its last report; all: since it was made. */
struct turn_usage {
	const char *realm, *username; /* the username of its credential: any bytes */
	size_t username_len;
	bool third_party; /* the username is a key's name */
	bool begun;       /* its first report */
	bool relays;      /* it has relayed something for the first time */
	bool ended;
	bool idle;          /* it has ended without relaying anything */
	uint32_t relayed_s; /* seconds in which something was relayed */
	uint64_t allocated_ms;
	uint64_t to_peer_packets, to_peer_bytes, to_client_packets, to_client_bytes;
	uint64_t all_allocated_ms, all_to_peer_bytes, all_to_client_bytes;
};

/* Must not call back into turn; borrows u for the call. */
typedef void turn_usage_fn(void *ctx, const struct turn_usage *u);

/* Calls fn for each allocation that ends. */
void turn_set_usage(struct turn *t, turn_usage_fn *fn, void *ctx);

/* Calls fn for every live allocation in slice `part` (from 0) of `parts`. */
void turn_tell_usage(struct turn *t, unsigned part, unsigned parts);

size_t turn_allocations(const struct turn *t);
size_t turn_relayed_addresses(const struct turn *t); /* counts two for a dual allocation */
const struct turn_stats *turn_get_stats(const struct turn *t);

#endif
