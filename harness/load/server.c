/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Starting Turnpike and coturn alike: one relay thread, the first core, no
 * limit that the load would meet.
 */
#include "harness/load/server.h"

#include "base/clock.h"
#include "harness/lab/contain.h"
#include "harness/lab/proc.h"
#include "harness/lab/selfcert.h"
#include "harness/load/load.h"
#include "turn/wire/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY_MS 10000
#define STOP_MS  5000
#define ASK_MS   100
#define VERB_MS  20000

/* The server gets the first core and its load the last: neither takes the other's time. A child
 * inherits this. */
static void pin(bool server)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	if (cores < 2)
		return;
	CPU_ZERO(&set);
	CPU_SET(server ? 0 : (size_t)cores - 1, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int server_spawn(struct server *s, const char *const argv[], struct why *why)
{
	struct proc_opt po = PROC_OPT_DEFAULT;
	int r;

	po.fd[1] = po.fd[2] = s->log_fd;
	pin(true);
	r = proc_spawn(argv, &po, &s->pid, why);
	pin(false);
	return r;
}

#define ARGS_MAX 32

/* Whether the program has an option: so that an older one can be measured, too. */
static bool has_option(const char *program, const char *key)
{
	const char *const ask[] = {program, "help", "config", NULL};
	char line[512];
	struct why why;
	bool found = false;
	FILE *f;
	int fd;

	if (proc_ask(ask, -1, VERB_MS, &fd, &why))
		return false;
	f = fdopen(fd, "r");
	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line + (*line == '#'), key, strlen(key));
	if (f)
		fclose(f);
	else
		close(fd);
	return found;
}

/* A database of its own for each. What it may do to a client is limited, or not. */
static int start_turnpike(struct server *s, const char *program, bool limits, struct why *why)
{
	char data[] = "--data=" CONTAIN_WORK "/data-XXXXXX";
	const char *const add[] = {program, data,      "--realm=" LOAD_REALM, "user",
	                           "add",   LOAD_USER, "--password-stdin",    NULL};
	static const char *const free_args[] = {
	    "--user-quota=0",      "--session-bandwidth=0", "--user-bandwidth=0",
	    "--unauth-rate=0",     "--binding-rate=0",      "--connections-per-address=0",
	    "--signal-rate=100000"};
	const char *serve[ARGS_MAX] = {program,
	                               "serve",
	                               data,
	                               "--realm=" LOAD_REALM,
	                               "--listen=127.0.0.1:3478,127.0.0.1:8080",
	                               "--workers=1",
	                               "--relay-allow=127.0.0.0/8",
	                               "--tls-cert=" SERVER_CERT,
	                               "--tls-key=" SERVER_KEY,
	                               "--drain-timeout=0",
	                               "--log-level=warn",
	                               "--max-connections=12000"};
	size_t n = 12;
	int r;

	for (size_t i = 0; !limits && i < sizeof(free_args) / sizeof(*free_args); i++)
		serve[n++] = free_args[i];
	if (has_option(program, "room_users"))
		serve[n++] = "--room-users=12000"; /* a storm is one room's */
	if (!mkdtemp(strchr(data, '/')))
		return why_set(why, error_from_errno(errno), "no folder: %s", strerror(errno));
	r = proc_run(add, -1, LOAD_PASSWORD "\n", VERB_MS, why);
	return r ? r : server_spawn(s, serve, why);
}

static int spawn_turnpike(struct server *s, const char *program, struct why *why)
{
	return start_turnpike(s, program, false, why);
}

static int spawn_limited(struct server *s, const char *program, struct why *why)
{
	return start_turnpike(s, program, true, why);
}

static int spawn_coturn(struct server *s, const char *program, struct why *why)
{
	const char *const argv[] = {program,
	                            "-n", /* no configuration file of this machine's */
	                            "--listening-ip=127.0.0.1",
	                            "--relay-ip=127.0.0.1",
	                            "--listening-port=3478",
	                            "--relay-threads=1",
	                            "--allow-loopback-peers",
	                            "--lt-cred-mech",
	                            "--realm=" LOAD_REALM,
	                            "--user=" LOAD_USER ":" LOAD_PASSWORD,
	                            "--cert=" SERVER_CERT,
	                            "--pkey=" SERVER_KEY,
	                            "--no-cli",
	                            "--no-rfc5780",
	                            "--log-file=/dev/null",
	                            "--pidfile=" CONTAIN_WORK "/coturn.pid",
	                            "--userdb=" CONTAIN_WORK "/coturn.db",
	                            NULL};

	return server_spawn(s, argv, why);
}

const struct server_kind server_turnpike = {"turnpike", "turnpike", spawn_turnpike, NULL};
const struct server_kind server_turnpike_limits = {"turnpike", "turnpike", spawn_limited, NULL};
const struct server_kind server_coturn = {"coturn", "turnserver", spawn_coturn, NULL};

int server_check(struct server *s, struct why *why)
{
	return proc_check(&s->pid, s->name, s->log_fd, why);
}

static void on_message(void *arg, const uint8_t *m, size_t len)
{
	*(bool *)arg |= len >= 20 && !wire_error(m, len);
}

/* Does it answer a Binding request? */
static bool answers(struct server *s)
{
	static struct wire ask;
	struct pollfd p = {.events = POLLIN};
	struct link l;
	struct addr to;
	bool came = false, asked = false;
	int r;

	addr_parse_ip(&to, LOAD_IP, LOAD_PORT);
	if (link_open(&l, s->transport, &to, NULL))
		return false;
	wire_start(&ask, W_BINDING, 1);
	p.fd = l.fd;
	do {
		r = asked ? link_take(&l, on_message, &came) : link_ready(&l);
		if (!r && !asked)
			asked = link_put(&l, ask.buf, ask.len) && link_flush(&l);
	} while (!came && (!r || r == -E_LATER) && poll(&p, 1, ASK_MS) == 1);
	link_describe(&l, s->tls, sizeof(s->tls));
	link_close(&l);
	return came;
}

int server_start(struct server *s, const struct server_kind *kind, const char *program,
                 enum link_transport t, const char *lie, struct why *why)
{
	int64_t deadline;
	int r;

	*s = (struct server){
	    .name = kind->name, .transport = t, .port = LOAD_SIGNAL, .lie = lie, .pid = -1};
	s->log_fd = open(CONTAIN_WORK, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->log_fd < 0)
		return why_set(why, error_from_errno(errno), "no log file: %s", strerror(errno));
	r = selfcert_write(LOAD_IP, SERVER_CERT, SERVER_KEY, why);
	if (!r)
		r = kind->spawn(s, program ? program : kind->program, why);
	deadline = clock_mono_ms() + READY_MS;
	while (!r && !(kind->answers ? kind->answers : answers)(s)) {
		r = server_check(s, why);
		if (!r && clock_mono_ms() > deadline)
			r = why_set(why, -E_TIMEOUT, "%s does not answer on " LOAD_IP " over %s",
			            s->name, kind->answers ? "tcp" : link_transport_name(t));
		if (!r)
			clock_sleep_ms(30);
	}
	if (r)
		server_stop(s);
	return r;
}

uint64_t server_run_ns(const struct server *s)
{
	char path[320];
	uint64_t sum = 0, run;
	struct dirent *e;
	DIR *tasks;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)s->pid);
	tasks = opendir(path);
	while (tasks && (e = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)s->pid, e->d_name);
		f = *e->d_name == '.' ? NULL : fopen(path, "re");
		if (f && fscanf(f, "%" SCNu64, &run) == 1)
			sum += run;
		if (f)
			fclose(f);
	}
	if (tasks)
		closedir(tasks);
	return sum;
}

void server_stop(struct server *s)
{
	proc_stop(s->pid, STOP_MS);
	if (s->log_fd >= 0)
		close(s->log_fd);
	s->pid = -1;
	s->log_fd = -1;
}
