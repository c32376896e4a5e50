/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tests the network: answers over each transport, addresses as seen from outside, and calls through
 * the relay.
 */
#include "base/clock.h"
#include "base/stun_error.h"
#include "daemon/admin/admin_socket.h"
#include "daemon/doctor/doctor.h"
#include "daemon/issue/endpoint.h"
#include "turn/wire/talker.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define TRIES       3
#define TRY_MS      1000
#define CATCH_UP_MS 15000
#define CHANNEL     0x4001

static const char *failure(int r, char buf[STUN_ERROR_TEXT])
{
	if (r > 0)
		return stun_error_text(r, buf);
	return r == -E_TIMEOUT  ? "no answer"
	       : r == -E_CLOSED ? "connection refused or closed"
	                        : error_text(r);
}

/* Comes back when the server of this host has caught up, or does not say that it has: its workers
 * are asked for something, and what came to them before that, they have read. What waits for an
 * answer does so before it waits for the last time: silence is the network's fault only if the
 * server had the time to speak. */
static void await_server(void *arg)
{
	const struct doctor *d = arg;
	int64_t until = clock_mono_ms() + CATCH_UP_MS;
	bool again = true;

	while (again && clock_mono_ms() < until) {
		json_t *said = NULL;
		struct why why;

		again = !admin_ask(d->conf->data, "sessions", json_pack("{si}", "limit", 1), &said,
		                   &why) &&
		        json_is_false(json_object_get(said, "complete"));
		json_decref(said);
	}
}

/* Connects to a server of this configuration. The certificate is not checked: that is another line
 * of the report. t is for talker_close() either way. */
static int reach(struct doctor *d, struct talker *t, enum talker_transport transport,
                 const struct addr *server, const struct addr *from)
{
	int r = talker_connect(t, transport, server, from);

	t->tries = TRIES;
	t->wait_ms = TRY_MS;
	t->last_try = await_server;
	t->arg = d;
	if (!r && talker_is_stream(t) && endpoint_greet(d->conf, t->fd))
		r = error_from_errno(errno);
	if (!r && (transport == TALKER_TLS || transport == TALKER_DTLS))
		r = talker_handshake(t);
	return r;
}

/* ---- answers ---- */

static void answer_fails(struct doctor *d, const struct doctor_target *t, enum talker_transport tr,
                         int r)
{
	char at[ADDR_STRLEN], reason[STUN_ERROR_TEXT];
	const char *name = talker_transport_name(tr), *fix;

	if (r == -E_CLOSED)
		fix =
		    "something rejects the request before it reaches the server: see the line of "
		    "this port above, and look for reject rules in the firewall (nft list ruleset)";
	else if (tr == TALKER_TLS || tr == TALKER_DTLS)
		fix = "if plain TCP and UDP answer, check the certificate and max_dtls_sessions; "
		      "otherwise check the firewall (nft list ruleset)";
	else
		fix = "most likely a firewall drops it: check nft list ruleset or iptables-save; "
		      "then binding_rate and the server's log";
	doctor_say(d, DOCTOR_FAIL, "answers", "%s %s: %s to a STUN Binding request\n%s", name,
	           addr_format(&t->local, at), failure(r, reason), fix);
}

/* True when the server answers its own host there. */
static bool is_open_to_us(const struct doctor *d, enum talker_transport t, const struct addr *at)
{
	if (t == TALKER_DTLS)
		return d->conf->max_dtls_sessions;
	return t == TALKER_UDP || !endpoint_is_for_balancers(d->conf, at);
}

static void ask_target(struct doctor *d, const struct doctor_target *t)
{
	char at[ADDR_STRLEN], seen[ADDR_STRLEN], list[64] = "";

	for (int tr = 0; tr < TALKER_TRANSPORTS; tr++) {
		struct addr mapped;
		struct talker c;
		int r;

		if (!is_open_to_us(d, tr, &t->local))
			continue;
		r = reach(d, &c, tr, &t->local, NULL);
		if (!r)
			r = talker_binding(&c, &mapped);
		talker_close(&c);
		if (r) {
			answer_fails(d, t, tr, r);
			continue;
		}
		d->answers |= tr == TALKER_UDP;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
		         *list ? ", " : "", talker_transport_name(tr));
		if (tr == TALKER_UDP && !addr_equal_ip(&mapped, &t->local) &&
		    !addr_is_loopback(&t->local))
			doctor_say(d, DOCTOR_WARN, "answers",
			           "%s sees this host as %s\n"
			           "a NAT or a tunnel is between the server and its own host: look "
			           "for SNAT or masquerade rules that apply to local traffic",
			           addr_format(&t->local, at), addr_format_ip(&mapped, seen));
	}
	if (*list)
		doctor_say(d, DOCTOR_OK, "answers", "%s answers over %s",
		           addr_format(&t->local, at), list);
}

static bool is_private(const struct addr *a)
{
	static const char *const ranges[] = {"10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16",
	                                     "100.64.0.0/10", "127.0.0.0/8",   "169.254.0.0/16",
	                                     "fc00::/7",      "fe80::/10",     "::1/128"};
	struct prefix p;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (!prefix_parse(&p, ranges[i]) && prefix_has(&p, a))
			return true;
	return false;
}

static void own_addresses(struct doctor *d)
{
	char a[ADDR_STRLEN], b[ADDR_STRLEN];
	bool reach = false;

	for (size_t i = 0; i < d->topo.relay_n; i++) {
		const struct turn_relay *r = &d->topo.relay[i];

		if (r->presence != TURN_HERE)
			continue;
		reach |= !is_private(&r->external);
		if (!addr_equal_ip(&r->local, &r->external) && is_private(&r->external))
			doctor_say(d, DOCTOR_WARN, "address",
			           "external_ip maps %s to %s, which is a private address\n"
			           "set external_ip to this host's address on the Internet",
			           addr_format_ip(&r->local, a), addr_format_ip(&r->external, b));
		else if (!addr_equal_ip(&r->local, &r->external))
			doctor_say(d, DOCTOR_OK, "address",
			           "clients are told %s as %s (external_ip)",
			           addr_format_ip(&r->local, a), addr_format_ip(&r->external, b));
	}
	if (reach)
		return;
	doctor_say(d, DOCTOR_WARN, "address",
	           "all relayed addresses are private: peers elsewhere cannot reach them\n"
	           "behind a one-to-one NAT set external_ip to the public address (find it with "
	           "--stun HOST:PORT); in a closed network this is fine");
}

static int resolve(const char *text, int family, struct addr *out)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM}, *found;
	char host[256], *port;

	snprintf(host, sizeof(host), "%s", text);
	port = strrchr(host, ':');
	if (!port || port == host || !port[1])
		return -E_INVAL;
	*port++ = 0;
	if (host[0] == '[' && port[-2] == ']') {
		port[-2] = 0;
		memmove(host, host + 1, strlen(host));
	}
	if (getaddrinfo(host, port, &hints, &found))
		return -E_NOTFOUND;
	memcpy(out, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/* A relay address as seen from outside must be the one that clients are told. */
static void outside(struct doctor *d)
{
	char a[ADDR_STRLEN], b[ADDR_STRLEN], reason[STUN_ERROR_TEXT];
	unsigned asked = 0;

	for (size_t i = 0; d->stun && i < d->topo.relay_n; i++) {
		const struct turn_relay *relay = &d->topo.relay[i];
		struct addr to, seen;
		struct talker c;
		int r;

		if (relay->presence != TURN_HERE || addr_is_loopback(&relay->local) ||
		    resolve(d->stun, addr_family(&relay->local), &to))
			continue;
		asked++;
		r = reach(d, &c, TALKER_UDP, &to, &relay->local);
		if (!r)
			r = talker_binding(&c, &seen);
		talker_close(&c);
		if (r)
			doctor_say(d, DOCTOR_WARN, "address",
			           "%s, asked from %s: %s\n"
			           "give another STUN server, or let UDP out",
			           d->stun, addr_format_ip(&relay->local, a), failure(r, reason));
		else if (addr_equal_ip(&seen, &relay->external))
			doctor_say(d, DOCTOR_OK, "address",
			           "%s sees %s as %s, and clients are told the same", d->stun,
			           addr_format_ip(&relay->local, a), addr_format_ip(&seen, b));
		else
			doctor_say(d, DOCTOR_FAIL, "address",
			           "clients are told %s, but %s sees %s\nset external_ip = %s",
			           addr_format_ip(&relay->external, a), d->stun,
			           addr_format_ip(&seen, b), b);
	}
	if (d->stun && !asked)
		doctor_say(d, DOCTOR_WARN, "address",
		           "no relay address could ask --stun %s\n"
		           "write a HOST:PORT that resolves to an address family in listen",
		           d->stun);
}

void doctor_answers(struct doctor *d)
{
	for (size_t i = 0; d->server && i < d->target_n; i++)
		ask_target(d, &d->target[i]);
	own_addresses(d);
	outside(d);
}

/* ---- the relay ---- */

/* Two of our own allocations talk to each other. *step says how far it came. */
static int echo(struct doctor *d, struct talker *one, struct talker *two, const char **step)
{
	static const char asks[] = "doctor asks", answers[] = "doctor answers";
	int r;

	*step = "Allocate";
	if ((r = talker_allocate(one, IPPROTO_UDP)))
		return r;
	if ((r = talker_allocate(two, IPPROTO_UDP))) {
		talker_refresh(one, 0); /* of the last port there was, perhaps */
		return r;
	}
	*step = "ChannelBind";
	if ((r = talker_bind(one, CHANNEL, &two->relayed)))
		return r;
	*step = "CreatePermission";
	if ((r = talker_permit(two, &one->relayed)))
		return r;
	*step = "echo";
	for (int i = 0; i < TRIES; i++) { /* datagrams may be lost */
		if (i == TRIES - 1)
			await_server(d);
		r = talker_relay(one, CHANNEL, NULL, asks, sizeof(asks));
		if (!r)
			r = talker_await(two, asks, sizeof(asks), TRY_MS);
		if (!r)
			r = talker_relay(two, 0, &one->relayed, answers, sizeof(answers));
		if (!r)
			r = talker_await(one, answers, sizeof(answers), TRY_MS);
		if (r != -E_TIMEOUT)
			break;
	}
	return r;
}

static int call(struct doctor *d, enum talker_transport t, const struct addr *server,
                const char **step)
{
	struct talker one, two = {.fd = -1};
	int r = reach(d, &one, t, server, NULL);

	*step = "connection";
	if (!r)
		r = reach(d, &two, t, server, NULL);
	if (!r) {
		one.user = two.user = d->credential.username;
		one.password = two.password = d->credential.password;
		r = echo(d, &one, &two, step);
		if (strcmp(*step, "Allocate") != 0) { /* leave nothing behind */
			talker_refresh(&one, 0);
			talker_refresh(&two, 0);
		}
	}
	talker_close(&one);
	talker_close(&two);
	return r;
}

static const char *fix_for(int r, const char *step)
{
	if (r == 401)
		return "the server does not know the newest secret: does it use this data "
		       "directory (--data) and this realm (--realm)? is the clock right?";
	if (r == 300)
		return "it sends new clients to alternate_server: to serve them here, set redirect "
		       "= no";
	if (r == 403)
		return "relay_deny includes the server's own relay address: use smaller ranges; in "
		       "a closed network, add the address to relay_allow";
	if (r == 486)
		return "user_quota, realm_quota or total_quota is reached: raise it";
	if (r == 508)
		return "no relay port is left, or the server is draining: use a larger range in "
		       "relay_ports, and see the lines about ports and descriptors above";
	if (r == 500)
		return "the server could not open a relay socket: see its log and the descriptors";
	if (!strcmp(step, "echo"))
		return "the relay's ports are closed: open UDP relay_ports in the host's firewall, "
		       "also for packets from the host itself";
	return "see the line of this port above, and the server's log";
}

static void call_over(struct doctor *d, enum talker_transport t, const struct doctor_target *at)
{
	const char *name = talker_transport_name(t), *step, *local_step;
	char text[ADDR_STRLEN], local[ADDR_STRLEN], buf[STUN_ERROR_TEXT], other[STUN_ERROR_TEXT];
	const char *reason;
	int r = call(d, t, &at->public, &step);

	reason = failure(r, buf);
	addr_format(&at->public, text);
	if (!r) {
		doctor_say(d, DOCTOR_OK, "relay", "%s %s: allocated, and an echo came through",
		           name, text);
		return;
	}
	if (addr_equal(&at->public, &at->local)) {
		doctor_say(d, DOCTOR_FAIL, "relay", "%s %s: %s: %s\n%s", name, text, step, reason,
		           fix_for(r, step));
		return;
	}
	/* Behind a NAT that does not take its own address from inside, this proves nothing. */
	r = call(d, t, &at->local, &local_step);
	addr_format(&at->local, local);
	if (r && strcmp(local_step, "echo") != 0)
		doctor_say(d, DOCTOR_FAIL, "relay", "%s %s, and %s: %s: %s\n%s", name, text, local,
		           local_step, failure(r, other), fix_for(r, local_step));
	else
		doctor_say(d, DOCTOR_WARN, "relay",
		           "%s %s: %s: %s, while %s %s\n"
		           "the NAT does not send packets for its public address back inside "
		           "(hairpinning), or does not forward the ports, or external_ip is wrong: "
		           "test with a client outside; open the ports of listen and UDP "
		           "relay_ports in the NAT",
		           name, text, step, reason, local, r ? "allocates" : "works completely");
}

void doctor_relay(struct doctor *d)
{
	for (size_t i = 0; d->server && d->has_credential && i < d->target_n; i++) {
		const struct doctor_target *t = &d->target[i];
		bool again = false;

		/* One port of each family: they all speak everything. */
		for (size_t k = 0; k < i; k++)
			again |= addr_family(&d->target[k].local) == addr_family(&t->local);
		for (int tr = 0; !again && tr < TALKER_TRANSPORTS; tr++)
			if (is_open_to_us(d, tr, &t->local))
				call_over(d, tr, t);
	}
}
