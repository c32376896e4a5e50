/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One worker's STUN/TURN server (RFC 8489, RFC 8656): listeners, allocations,
 * permissions, channels. It owns no thread and no loop: its environment calls
 * it with datagrams and timers, and it asks for keys through turn_auth_ops.
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
	const char *username;    /* any bytes, not terminated; NULL: userhash is what we have */
	const uint8_t *userhash; /* STUN_USERHASH_LEN bytes, or NULL */
	size_t username_len;
	bool sha256;     /* the SHA-256 key is wanted, not the MD5 one */
	uint64_t ticket; /* for turn_auth_answered() */
};

struct turn_auth_answer {
	size_t key_n; /* several: one for each live secret */
	struct stun_key key[TURN_KEYS_MAX];
	int64_t key_source[TURN_KEYS_MAX]; /* what each key was made from, as alive() is to know it:
	                                    * a number of the ops' own, 0 for none */
	int64_t expires_at_s;              /* Unix time; 0: never */
	bool third_party; /* by an access token: expiry binds a running session, too */
	/* Both may point into the query or into what the ops own until the caller's next call. */
	const char *username; /* as the query's; for a userhash, whose it is */
	size_t username_len;
	const char *quota_user; /* whose quota it is */
	size_t quota_user_len;
};

/* What an allocation goes by. */
struct turn_auth_session {
	const char *realm;
	const char *username; /* any bytes, not terminated */
	size_t username_len;
	const struct stun_key *key; /* that its last request was proved with */
	int64_t key_source;         /* of that key, as keys() gave it */
};

/* Who knows the users. */
struct turn_auth_ops {
	/* 0 and the answer; -E_NOTFOUND (401); -E_LATER: the request is kept, and
	 * turn_auth_answered() with the ticket has it asked again. Never calls back into turn. */
	int (*keys)(void *ctx, const struct turn_auth_query *query, struct turn_auth_answer *out);
	/* False when what a session was opened with is no longer good for it (the user was deleted
	 * or revoked, the password changed, the secret ended): its allocation closes. Never asked
	 * of a third party's. */
	bool (*alive)(void *ctx, const struct turn_auth_session *session);
	/* Optional: credentials were refused with 401, to a client that is known to be at that
	 * address (its nonce was good). why: as in the journal. username: any bytes, NULL for a
	 * userhash. Never calls back into turn. */
	void (*refused)(void *ctx, const struct addr *client, const char *why, const char *username,
	                size_t len);
};

/* Of an address on this host, whose addresses may change. */
enum turn_presence {
	TURN_HERE,
	TURN_AWAY, /* maybe for a moment only: it serves nothing new, and what there is goes on */
	TURN_GONE, /* what is built on it ends */
};

/* An address to relay from. */
struct turn_relay {
	struct addr local;        /* bound to; the port is ignored */
	struct addr external;     /* what clients and peers see, behind 1:1 NAT; else as local */
	struct turn_ports *ports; /* borrowed */
	enum turn_presence presence;
};

struct turn_conf {
	/* The first is named to who names none. Of up to TURN_REALM_MAX bytes. */
	const char *realm[TURN_REALMS_MAX];
	size_t realm_n;
	bool username_anonymity; /* asks clients of RFC 8489 for USERHASH: static users only */
	uint32_t unauth_rate;    /* error replies to the unauthenticated, each second and source
	                          * address (turn/limiter.h); 0: no limit */
	uint32_t binding_rate;   /* Binding replies over UDP, likewise */
	const struct turn_oauth *oauth; /* third-party authorization (RFC 7635); NULL: none */
	struct addr alternate_server[TURN_ALTERNATES_MAX];
	size_t alternate_server_n;
	const char *alternate_domain; /* name in the alternates' certificates; NULL: as ours */
	bool redirect;                /* every new allocation goes to an alternate */
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
	uint8_t ticket_key[TURN_TICKET_KEY_LEN]; /* the same for all workers */
	bool strict_expiry;                      /* an expired credential cannot refresh, either */
	unsigned int worker;                     /* for session ids */
	uint32_t explain_sessions; /* sessions that it remembers (turn/journal.h); 0: none */
};

struct turn_listener_conf {
	struct addr local;
	int fd;               /* bound UDP socket, taken over on success; -1: opened on local */
	int relay4, relay6;   /* index into conf.relay for either family, or TURN_NO_RELAY */
	struct addr external; /* as clients see it, behind 1:1 NAT; AF_UNSPEC: as local */
	/* Answers NAT behaviour discovery (RFC 5780), together with three others: two IPs and two
	 * ports of a family, each with each. */
	bool discovery;
	bool gone; /* the address is not on this host: clients that came in on it end */
};

/* A client's connection: who owns it feeds it with whole messages and carries out these. */
struct turn_link_ops {
	/* One whole message; copies it. May drop it when the client does not read: TURN is a
	 * datagram service. Never frees the link before it returns. */
	void (*send)(void *ctx, const uint8_t *data, size_t len);
	/* turn_link_waits() is false again: more may be handed over, but not before this returns.
	 * NULL for DTLS. */
	void (*resume)(void *ctx);
};

struct turn_link_params {
	enum turn_protocol protocol; /* all but TURN_UDP */
	struct addr client;          /* the server-reflexive transport address */
	int relay4, relay6;          /* as for a listener */
	const struct turn_link_ops *ops;
	void *ctx;
};

/* Borrows env, conf's pointers and ops for its life; copies conf itself. NULL when out of memory.
 */
struct turn *turn_new(struct env *env, const struct turn_conf *conf,
                      const struct turn_auth_ops *auth, void *auth_ctx);

/* Closes every allocation. Its links must be gone. NULL is legal. */
void turn_free(struct turn *t);

/* Starts to serve on an address. 0 or env_udp_open()'s codes; on failure fd stays the caller's. */
int turn_listen(struct turn *t, const struct turn_listener_conf *conf);

/* These, and no others, are served from now on: listens on those that are new, closes those that
 * are not among them, with what their clients have, and gives the others' clients their relays.
 * Takes all fds. 0, or the first code of those that it could not listen on. */
int turn_set_listeners(struct turn *t, const struct turn_listener_conf *v, size_t n);

/* NULL when out of memory. */
struct turn_link *turn_link_new(struct turn *t, const struct turn_link_params *params);

/* One whole message of the stream (turn/framing.h) or one DTLS record. Borrows msg, aligned to 4,
 * and may change it. */
void turn_link_input(struct turn_link *link, uint8_t *msg, size_t len);

/* A request that came over this stream waits for its answer. What was sent behind it may rest on
 * it, so hand over nothing more until the resume op is called. Always false for DTLS. */
bool turn_link_waits(const struct turn_link *link);

/* The connection is gone: its allocations close. NULL is legal. */
void turn_link_free(struct turn_link *link);

/* New nonces from now on; those of the key before stay good, older ones are stale (438). */
void turn_set_nonce_key(struct turn *t, const uint8_t key[TURN_NONCE_KEY_LEN]);

/* A new configuration, for what there is, too: limits, rates, lifetimes, policy, alternates and
 * access tokens' keys change; permissions that the policy no longer has end, and
 * so do the allocations whose token was made for a key that is gone or another now, and
 * those whose relay (by its index) is TURN_GONE or has another address now. What
 * allocations are built on stays: realms, quota, ticket_key, worker, username_anonymity.
 * Copies conf; its pointers are borrowed until the next call. */
void turn_set_conf(struct turn *t, const struct turn_conf *conf);

/* While true, no allocation is made: 300 to an alternate of the client's family, else 508. Those
 * that there are go on. */
void turn_set_draining(struct turn *t, bool draining);

/* What an -E_LATER promised is there now. Unknown tickets are ignored. */
void turn_auth_answered(struct turn *t, uint64_t ticket);

/* Users or secrets may have gone: closes the allocations that are no longer alive. */
void turn_recheck_users(struct turn *t);

/* What an allocation did since it was last told of. */
struct turn_usage {
	const char *realm, *username; /* the username of its credential: any bytes */
	size_t username_len;
	bool third_party;   /* the username is a key's name */
	bool begun;         /* it is told of for the first time */
	bool relays;        /* for the first time it has relayed something */
	bool idle;          /* it has ended, and has never relayed anything */
	uint32_t relayed_s; /* seconds in which something was relayed */
	uint64_t allocated_ms;
	uint64_t to_peer_packets, to_peer_bytes, to_client_packets, to_client_bytes;
};

/* Must not call back into turn; borrows u for the call. */
typedef void turn_usage_fn(void *ctx, const struct turn_usage *u);

/* From now on fn is told of each allocation that ends. */
void turn_set_usage(struct turn *t, turn_usage_fn *fn, void *ctx);

/* Has fn told of those that live, the part-th (from 0) of so many parts of them. */
void turn_tell_usage(struct turn *t, unsigned part, unsigned parts);

size_t turn_allocations(const struct turn *t);
size_t turn_relayed_addresses(const struct turn *t); /* two for a dual allocation */
const struct turn_stats *turn_get_stats(const struct turn *t);

#endif
