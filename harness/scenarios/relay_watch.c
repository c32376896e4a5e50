/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finds the process that the gauge measures, and leftovers on the relay.
 */
#include "harness/scenarios/relay_watch.h"

#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/scenarios/facts.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define GUEST    "gauge"
#define GIVEN_MS 10000
#define LOOK_MS  100
#define KEPT_KB  (8 << 10) /* of a call */
/* A sanitizer keeps what is freed for a while. It is known by the room it takes. */
#define KEPT_SANITIZED_KB (96 << 10)
#define SANITIZED_VM_KB   (1L << 30)

/* The pages of a foreign server have its names and passwords; Turnpike makes one for everybody. */
static int take_login(struct stage *st, struct gauge_options *opt, struct why *why)
{
	static const char *const words[] = {"credentials", GUEST, "--json", NULL};
	const struct target *t = st->cell->target;
	json_t *said = NULL, *server;
	size_t i;
	int err = 0;

	if (t->own) {
		err = appliance_verb(st->appliance, words, &said, why);
		facts_copy(opt->user, sizeof(opt->user), said, "username");
		facts_copy(opt->password, sizeof(opt->password), said, "password");
	} else {
		said = target_servers(t, LAB_SERVER_IP);
		json_array_foreach (said, i, server) {
			if (!json_object_get(server, "username"))
				continue;
			facts_copy(opt->user, sizeof(opt->user), server, "username");
			facts_copy(opt->password, sizeof(opt->password), server, "credential");
		}
	}
	json_decref(said);
	return err;
}

/* Names mean the server's own address in the lab. */
static const char *address_of(const struct target *t, const struct offer_entry *e)
{
	if (t->own)
		return LAB_SERVER_IP;
	return e->family == AF_INET ? e->host : e->family == 0 ? LAB_TURN_IP : "";
}

static void take_ports(const struct target *t, struct gauge_options *opt)
{
	for (size_t i = 0; i < t->offer.n; i++) {
		const struct offer_entry *e = &t->offer.entry[i];
		int leg = e->transport == OFFER_UDP ? GAUGE_UDP : GAUGE_TCP;
		const char *ip = address_of(t, e);

		if (!e->turn || e->transport == OFFER_TLS || !*ip || opt->port[leg] ||
		    (opt->ip[0] && strcmp(opt->ip, ip) != 0))
			continue;
		snprintf(opt->ip, sizeof(opt->ip), "%s", ip);
		opt->port[leg] = e->port;
	}
}

static pid_t server_pid(const struct stage *st)
{
	return st->target_server ? target_pid(st->target_server) : appliance_pid(st->appliance);
}

struct gauge *relay_watch_start(struct stage *st, int *err, struct why *why)
{
	struct gauge_options *opt = &st->gauge;
	struct gauge *g;

	*err = 0;
	if (!st->lab)
		return NULL;
	if (st->gauge_of != st->cell->target) {
		*opt = (struct gauge_options){.peer_ip = LAB_OUTSIDE_IP};
		take_ports(st->cell->target, opt);
		*err = take_login(st, opt, why);
		if (*err != 0)
			return NULL;
		st->gauge_of = st->cell->target;
	}
	if (!opt->port[GAUGE_UDP] && !opt->port[GAUGE_TCP])
		return NULL;
	opt->server_ns = lab_server_ns(st->lab);
	opt->server_pid = server_pid(st);
	g = gauge_start(opt);
	if (!g)
		*err = why_set(why, -E_NOMEM, "out of memory");
	return g;
}

/* A mid-call fault may leave an allocation behind whose owner has moved. */
static bool gives_back(const struct stage *st)
{
	enum scenario_group group = st->cell->scenario->group;

	return st->lab && st->appliance && (group == GROUP_CALLS || group == GROUP_MATRIX);
}

static struct relay_holds holds_now(const struct stage *st)
{
	struct why why;

	return (struct relay_holds){.sockets = lab_udp_sockets(lab_server_ns(st->lab), &why),
	                            .rss_kb = proc_memory_kb(server_pid(st), "VmRSS")};
}

void relay_watch_before(struct stage *st)
{
	st->holds = (struct relay_holds){.sockets = -1, .rss_kb = -1};
	if (gives_back(st))
		st->holds = holds_now(st);
}

/* As the server reports it; -1 if the relay is not Turnpike. */
static int allocations(const struct stage *st)
{
	static const char *const words[] = {"status", "--json", NULL};
	json_t *status = NULL;
	struct why why;
	int n = -1;

	if (st->target_server || appliance_verb(st->appliance, words, &status, &why) != 0)
		return -1;
	n = (int)facts_number(status, "allocations");
	json_decref(status);
	return n;
}

static void check_memory(struct stage *st, const struct relay_holds *now)
{
	long vm_kb = proc_memory_kb(server_pid(st), "VmSize");
	long limit_kb = vm_kb > SANITIZED_VM_KB ? KEPT_SANITIZED_KB : KEPT_KB;

	if (st->holds.rss_kb < 0 || now->rss_kb < 0)
		return;
	result_measure(st->result, "relay_memory", (double)(now->rss_kb - st->holds.rss_kb), "kB");
	if (now->rss_kb - st->holds.rss_kb > limit_kb)
		result_fail(
		    st->result,
		    "The relay's memory should grow by less than %ld MB in a call, but grew "
		    "from %ld to %ld kB; most likely: it leaks memory with each packet or "
		    "allocation. Look at: its memory over more calls.",
		    limit_kb >> 10, st->holds.rss_kb, now->rss_kb);
}

void relay_watch_after(struct stage *st)
{
	int64_t deadline = clock_mono_ms() + GIVEN_MS;
	struct relay_holds now;
	int n;

	/* A call that went wrong may not even have been hung up. */
	if (!gives_back(st) || st->holds.sockets < 0 || st->result->state != RESULT_RUNNING)
		return;
	now = holds_now(st);
	while (now.sockets > st->holds.sockets && clock_mono_ms() < deadline) {
		clock_sleep_ms(LOOK_MS);
		now = holds_now(st);
	}
	/* It counts its allocations a moment after it has closed their sockets. */
	n = allocations(st);
	while (n > 0 && clock_mono_ms() < deadline) {
		clock_sleep_ms(LOOK_MS);
		n = allocations(st);
	}
	if (now.sockets > st->holds.sockets || n > 0)
		result_fail(st->result,
		            "The relay should have given everything back %d s after both ends have "
		            "hung up, but %d of its UDP ports are still open%s; most likely: it "
		            "leaks ports or allocations (a Refresh with lifetime 0 without "
		            "effect). Look at: its live allocations, and its log.",
		            GIVEN_MS / 1000, now.sockets - st->holds.sockets,
		            n > 0 ? ", and it tells of live allocations" : "");
	check_memory(st, &now);
}
