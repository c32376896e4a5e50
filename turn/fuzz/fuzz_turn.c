/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Both fuzz targets: FUZZ_STREAM chooses the entry. Beyond what the sanitizers
 * see, every reply is checked: sound, padding zero, to a stranger on UDP at
 * most three times the request, or a challenge (which is rationed).
 */
#include "turn/fuzz/fuzz.h"

#include "base/env_virtual.h"
#include "base/error.h"
#include "base/log.h"
#include "turn/framing.h"
#include "turn/oauth.h"
#include "turn/peer_policy.h"
#include "turn/ports.h"
#include "turn/quota.h"
#include "turn/turn.h"
#include "turn/wire/wire.h"

#include <stdlib.h>
#include <string.h>

#define CLIENTS       2
#define STEP_MAX      4096
#define CHALLENGE_MAX 160 /* with the longer realm, the third party and a FINGERPRINT */

bool turn_fuzz_open;

struct fuzz {
	struct env *env;
	struct turn *turn;
	struct turn_conf conf;
	uint8_t flags;
	uint64_t ticket;
	struct env_udp *client[CLIENTS], *peer;
	struct addr relayed; /* AF_UNSPEC: none yet */
	size_t asked;        /* bytes of the request under way */
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int keys(void *ctx, const struct turn_auth_query *q, struct turn_auth_answer *out)
{
	struct fuzz *f = ctx;

	if (f->flags & FUZZ_LATER && q->ticket > f->ticket) {
		f->ticket = q->ticket;
		return -E_LATER;
	}
	if (!q->username) { /* the hash of a known user */
		out->username = out->quota_user = "hashed";
		out->username_len = out->quota_user_len = 6;
	}
	out->key_n = 1;
	out->key[0] = (struct stun_key){.len = q->sha256 ? 32 : 16};
	return 0;
}

static bool alive(void *ctx, const struct turn_auth_session *session)
{
	(void)ctx;
	return *session->realm && session->username_len && session->username[0] != 'x';
}

static const struct turn_auth_ops auth = {.keys = keys, .alive = alive};

static const struct turn_oauth oauth = {
    .oauth_server = "s", .key = {{"kid", "0123456789abcdef", 16}}, .key_n = 1};

static void check_message(struct fuzz *f, const uint8_t *data, size_t len)
{
	struct addr a;

	if (data[0] >= 64 && data[0] < 128) /* ChannelData */
		return;
	if (!memcmp(data + 4, "\x21\x12\xa4\x42", 4)) /* else to a classic client */
		check(wire_sound(data, len));
	if (wire_type(data) == (W_ALLOCATE | W_SUCCESS) &&
	    wire_get_xor_addr(data, len, ATTR_XOR_RELAYED_ADDRESS, &a))
		f->relayed = a;
}

static void start(struct fuzz *f)
{
	static const char *const local[] = {"192.0.2.1", "2001:db8:ffff::1"};
	struct peer_policy *policy = peer_policy_new();

	log_set_level(LOG_LEVEL_ERROR);
	f->env = env_virtual_new(1);
	f->conf = (struct turn_conf){.realm = {"turnpike", "other.example.org"},
	                             .realm_n = 2,
	                             .policy = policy,
	                             .quota = turn_quota_new(3, 5),
	                             .default_lifetime_s = 600,
	                             .max_lifetime_s = 3600,
	                             .nonce_lifetime_s = 1000,
	                             .permissions_max = 6,
	                             .channels_max = 6,
	                             .relay_n = 2,
	                             .unauth_rate = 100,
	                             .binding_rate = 100,
	                             .mobility = f->flags & FUZZ_MOBILE,
	                             .legacy_channels = f->flags & FUZZ_LEGACY};
	for (int i = 0; i < 2; i++) {
		check(!addr_parse_ip(&f->conf.relay[i].local, local[i], 0));
		f->conf.relay[i].external = f->conf.relay[i].local;
		f->conf.relay[i].ports = turn_ports_new(50000, 50007);
	}
	if (f->flags & FUZZ_OAUTH) {
		f->conf.oauth = &oauth;
		check(!addr_parse(&f->conf.alternate_server[0], "203.0.113.1:1"));
		f->conf.alternate_server_n = 1;
		f->conf.redirect = true;
	}
	f->turn = turn_new(f->env, &f->conf, &auth, f);
	for (int i = 0; i < 2; i++) {
		struct turn_listener_conf l = {.fd = -1, .relay4 = 0, .relay6 = 1};

		check(!addr_parse_ip(&l.local, local[i], 3478));
		check(!turn_listen(f->turn, &l));
	}
}

static void stop(struct fuzz *f)
{
	turn_free(f->turn);
	for (size_t i = 0; i < f->conf.relay_n; i++) {
		turn_ports_expire(f->conf.relay[i].ports, UINT64_MAX, f->conf.quota);
		check(turn_ports_leased(f->conf.relay[i].ports) ==
		      turn_ports_reserved(f->conf.relay[i].ports));
		turn_ports_free(f->conf.relay[i].ports);
	}
	check(!turn_quota_total(f->conf.quota) && !turn_quota_users(f->conf.quota));
	env_virtual_free(f->env);
	turn_quota_free(f->conf.quota);
	peer_policy_free((struct peer_policy *)(uintptr_t)f->conf.policy);
}

#ifndef FUZZ_STREAM

/* Replies are signed, or to a stranger. */
static bool to_stranger(const uint8_t *m, size_t len)
{
	size_t n;

	return m[0] < 2 && wire_type(m) != W_DATA &&
	       !wire_get(m, len, ATTR_MESSAGE_INTEGRITY, &n) &&
	       !wire_get(m, len, ATTR_MESSAGE_INTEGRITY_SHA256, &n);
}

static size_t longest_reply(const struct fuzz *f, const uint8_t *m, size_t len)
{
	int code = wire_error(m, len);

	if ((code == 401 || code == 438) && 3 * f->asked < CHALLENGE_MAX)
		return CHALLENGE_MAX;
	return 3 * f->asked;
}

static void on_client(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct fuzz *f = arg;

	(void)u;
	for (size_t i = 0; i < n; i++) {
		check_message(f, d[i].data, d[i].len);
		if (f->asked && to_stranger(d[i].data, d[i].len))
			check(d[i].len <= longest_reply(f, d[i].data, d[i].len));
	}
}

static void on_peer(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	(void)arg;
	(void)u;
	(void)d;
	(void)n;
}

static struct env_udp *open_udp(struct fuzz *f, const char *addr, env_udp_batch_fn *fn)
{
	struct env_udp_params p = {.fd = -1, .on_batch = fn, .arg = f};
	struct env_udp *u = NULL;

	check(!addr_parse(&p.local, addr) && !env_udp_open(f->env, &p, &u));
	return u;
}

static void step(struct fuzz *f, unsigned int who, unsigned int what, const uint8_t *data,
                 size_t len)
{
	struct addr server;

	switch (what % 3) {
	case 0:
		check(!addr_parse_ip(&server, f->flags & FUZZ_V6 ? "2001:db8:ffff::1" : "192.0.2.1",
		                     3478));
		f->asked = f->flags & FUZZ_LATER ? 0 : len;
		env_udp_send(f->client[who % CLIENTS], &server, data, len);
		break;
	case 1:
		if (addr_family(&f->relayed) == AF_INET)
			env_udp_send(f->peer, &f->relayed, data, len);
		break;
	default:
		env_virtual_run(f->env, len % 1024 * 1000); /* the clock ticks each second */
		if (f->ticket)
			turn_auth_answered(f->turn, f->ticket);
		turn_recheck_users(f->turn);
	}
	env_virtual_run(f->env, 0);
	f->asked = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz f = {.flags = len ? data[0] : 0};
	bool v6 = f.flags & FUZZ_V6;

	turn_fuzz_open = f.flags & FUZZ_OPEN;
	start(&f);
	f.client[0] = open_udp(&f, v6 ? "[2600::1]:1000" : "198.51.100.1:1000", on_client);
	f.client[1] = open_udp(&f, v6 ? "[2600::2]:1000" : "198.51.100.2:1000", on_client);
	f.peer = open_udp(&f, "8.8.8.8:53", on_peer);
	for (size_t at = 1; at + 3 <= len;) {
		unsigned int who = data[at] >> 6, what = data[at] & 63;
		size_t n = (size_t)data[at + 1] << 8 | data[at + 2];

		at += 3;
		if (what % 3 != 2) {
			n = n < len - at ? n : len - at;
			n = n < STEP_MAX ? n : STEP_MAX;
		}
		step(&f, who, what, data + at, n);
		at += what % 3 == 2 ? 0 : n;
	}
	for (int i = 0; i < CLIENTS; i++)
		env_udp_close(f.client[i]);
	env_udp_close(f.peer);
	stop(&f);
	return 0;
}

#else

static void on_send(void *ctx, const uint8_t *data, size_t len)
{
	check_message(ctx, data, len);
}

/* As a connection's owner does: collects bytes until a message is whole. */
static bool feed(struct turn_link *link, uint8_t *buf, size_t *have)
{
	size_t frame;
	int r = turn_frame_len(buf, *have, &frame);

	if (r == -E_LATER || (!r && frame > *have))
		return false;
	if (r) {
		*have = 0;
		return false;
	}
	turn_link_input(link, buf, frame);
	*have -= frame;
	memmove(buf, buf + frame, *have);
	return *have;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct turn_link_ops ops = {.send = on_send};
	struct fuzz f = {.flags = len ? data[0] : 0};
	struct turn_link_params p = {
	    .protocol = TURN_TCP, .relay4 = 0, .relay6 = 1, .ops = &ops, .ctx = &f};
	size_t have = 0, chunk = len > 1 ? data[1] + 1u : 1;
	struct turn_link *link;
	uint8_t *buf;

	turn_fuzz_open = f.flags & FUZZ_OPEN;
	start(&f);
	check(!addr_parse(&p.client, f.flags & FUZZ_V6 ? "[2600::1]:1000" : "198.51.100.1:1000"));
	link = turn_link_new(f.turn, &p);
	buf = malloc(TURN_FRAME_MAX + 256);
	check(buf && link);
	for (size_t at = 2; at < len;) {
		size_t n = chunk < len - at ? chunk : len - at;

		memcpy(buf + have, data + at, n);
		have += n;
		at += n;
		while (feed(link, buf, &have))
			;
		env_virtual_run(f.env, 0);
	}
	free(buf);
	turn_link_free(link);
	stop(&f);
	return 0;
}

#endif
