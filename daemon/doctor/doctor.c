/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Looks at everything, and says what to change.
 */
#include "daemon/doctor/doctor.h"

#include "daemon/admin/admin_socket.h"
#include "daemon/process/lockfile.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_LEN 1400

static const char *const levels[] = {"ok", "warn", "fail"};

void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *fmt, ...)
{
	char text[LINE_MAX_LEN], *fix;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fix = strchr(text, '\n');
	if (fix)
		*fix++ = 0;
	d->count[level]++;
	if (d->findings) {
		json_array_append_new(d->findings,
		                      json_pack("{ss ss ss ss*}", "level", levels[level], "check",
		                                check, "text", text, "fix", fix));
		return;
	}
	printf("%-4s  %-11s  %s\n", levels[level], check, text);
	if (fix)
		printf("%-4s  %-11s  -> %s\n", "", "", fix);
	fflush(stdout); /* the next one may take a while */
}

/* True when it accepts the connection and says nothing. Without the right to ask, or without a
 * socket, learns nothing. */
static bool is_silent(const struct doctor *d)
{
	json_t *status = NULL;
	struct why why;
	int r = admin_ask(d->conf->data, "status", NULL, &status, &why);

	json_decref(status);
	return r == -E_TIMEOUT;
}

static void find_server(struct doctor *d)
{
	struct why why = {{0}};
	char name[64];
	int r = lockfile_find(d->conf->data, &d->server, &why);

	if (!r && !(d->silent = is_silent(d)))
		doctor_say(d, DOCTOR_OK, "server", "process %d (%s) serves %s", (int)d->server,
		           doctor_process(d->server, name), d->conf->data);
	else if (!r)
		doctor_say(d, DOCTOR_FAIL, "server",
		           "process %d (%s) serves %s and does not answer: it hangs\n"
		           "see its log (journalctl -u turnpike), then systemctl restart turnpike; "
		           "the checks that need a running server were skipped",
		           (int)d->server, doctor_process(d->server, name), d->conf->data);
	else
		doctor_say(d, DOCTOR_FAIL, "server", "%s\n%s", why.text,
		           r == -E_NOTFOUND ? "systemctl start turnpike, or turnpike serve; the "
		                              "checks that need a running server were skipped"
		                            : "run this as root, or as the server's user");
}

/* For a wildcard the first address that is not loopback stands for all. */
static void choose_targets(struct doctor *d)
{
	for (size_t i = 0; i < d->conf->listen.n && d->target_n < DOCTOR_TARGETS_MAX; i++) {
		const struct addr *l = &d->conf->listen.v[i];
		const struct addr *best = NULL;

		for (size_t k = 0; k < d->topo.udp_n; k++) {
			const struct listen_addr *u = &d->topo.udp[k];

			if (u->presence != TURN_HERE || !addr_arrives_at(&u->addr, l))
				continue;
			if (!best || (addr_is_loopback(best) && !u->loopback))
				best = &u->addr;
		}
		if (!best || !addr_port(best))
			continue;
		d->target[d->target_n].local = *best;
		d->target[d->target_n].public = topology_external(d->conf, best);
		addr_put_port(&d->target[d->target_n].public, addr_port(best));
		d->target_n++;
	}
}

static int examine(struct doctor *d, struct why *why)
{
	int r;

	log_set_level(LOG_LEVEL_ERROR); /* what the topology logs, the lines say better */
	r = topology_new(d->conf, &d->topo, why);
	if (r)
		return r;
	doctor_say(d, DOCTOR_OK, "config", "it is valid");
	find_server(d);
	choose_targets(d);
	doctor_files(d);
	doctor_cert(d);
	doctor_host(d);
	doctor_ports(d);
	if (!d->silent) {
		doctor_answers(d);
		doctor_relay(d);
	}
	topology_free(&d->topo);
	return 0;
}

void doctor_run(const struct conf *conf, const char *stun, json_t *findings, unsigned count[3])
{
	struct doctor d = {.conf = conf, .stun = stun, .findings = findings};
	struct why why;

	signal(SIGPIPE, SIG_IGN);
	d.owner = rights_raise(); /* looks at ports and processes with the rights of the caller */
	if (examine(&d, &why))
		doctor_say(&d, DOCTOR_FAIL, "config", "%s\ncorrect the configuration", why.text);
	memcpy(count, d.count, sizeof(d.count));
}
