/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The targets of turnpike-load signal --all, and which of them the figures reach.
 */
#include "harness/load/signal.h"

#include <stdio.h>
#include <string.h>

/* A target: figure, divided by another where there is one, at most this. Paths of keys, '/'
 * between. */
static const struct target {
	const char *what, *unit, *figure, *by;
	double factor, most;
} targets[] = {
    {"a message, 100 clients, to the floor", "x", "signal/to_floor", NULL, 1, 1.3},
    {"a message, 1,000 clients, to the floor", "x", "signal-1000/to_floor", NULL, 1, 1.3},
    {"a message over TLS with ALPN, to Node's ws", "x", "signal-tls-alpn/to_node", NULL, 1, 0.6},
    {"a message over TLS without ALPN, to Node's ws", "x", "signal-tls/to_node", NULL, 1, 0.6},
    /* by way of Node: the two are measured at different times; a tenth is the machine's */
    {"TLS without ALPN, to TLS with it", "x", "signal-tls/to_node", "signal-tls-alpn/to_node", 1,
     1.1},
    {"1,000 join at once", "s", "join-storm-1000/turnpike/seconds", NULL, 1, 0.5},
    {"4,000 join at once", "s", "join-storm-4000/turnpike/seconds", NULL, 1, 1.5},
    {"10,000 join at once", "s", "join-storm-10000/turnpike/seconds", NULL, 1, 6},
    {"lost of 1,000", "", "join-storm-1000/turnpike/lost", NULL, 1, 0},
    {"lost of 4,000", "", "join-storm-4000/turnpike/lost", NULL, 1, 0},
    {"lost of 10,000", "", "join-storm-10000/turnpike/lost", NULL, 1, 0},
    {"closed of 10,000", "", "join-storm-10000/turnpike/closed", NULL, 1, 0},
    {"9,800 idle", "% of a core", "idle-9800/turnpike/share", NULL, 100, 1.5},
    {"an idle connection", "KB", "idle-9800/turnpike/kb_each", NULL, 1, 6},
    {"an idle connection over TLS", "KB", "idle-2000-tls-alpn/turnpike/kb_each", NULL, 1, 32},
#define ATTACK(kind)                                                                               \
	{"/healthz, attack " #kind ", max", "ms", "attack-" #kind "/healthz/max_ms", NULL, 1, 50}, \
	{                                                                                          \
		"a call, attack " #kind ", max", "ms", "attack-" #kind "/call/max_ms", NULL, 1,    \
		    1000                                                                           \
	}
    ATTACK(rename),
    ATTACK(chat),
    ATTACK(crowd),
    ATTACK(oversized),
    ATTACK(half),
    ATTACK(slow),
#undef ATTACK
};

/* False when it was not measured. */
static bool figure(const json_t *at, const char *path, double *out)
{
	char part[64];

	while (at && *path) {
		size_t len = strcspn(path, "/");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		at = json_object_get(at, part);
		path += len + (path[len] == '/');
	}
	if (!json_is_number(at))
		return false;
	*out = json_number_value(at);
	return true;
}

unsigned judge_print(const json_t *figures)
{
	unsigned missed = 0;

	printf("\n%-48s %12s  %12s\n", "target", "measured", "at most");
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
		const struct target *t = &targets[i];
		double is = 0, by = 1;
		bool known = figure(figures, t->figure, &is) &&
		             (!t->by || (figure(figures, t->by, &by) && by > 0)),
		     reached;

		is = is * t->factor / by;
		reached = known && is <= t->most;
		missed += !reached;
		if (known)
			printf("%-48s %12.2f  %12.2f %-11s %s\n", t->what, is, t->most, t->unit,
			       reached ? "reached" : "MISSED");
		else
			printf("%-48s %12s  %12.2f %-11s MISSED\n", t->what, "not measured",
			       t->most, t->unit);
	}
	return missed;
}
