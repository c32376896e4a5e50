/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A network namespace, programs in it, and the server under test.
 */
#include "daemon/tests/server/rig.h"

#include "base/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define INSIDE      "RIG_INSIDE" /* set in the namespace */
#define COMMAND_MAX 4096
#define READY_MS    20000 /* a sanitized build on a loaded machine */
#define STOP_MS     20000
#define VERB_MS     20000

/* The last routes make every address of the Internet one of ours. */
static const char network[] = "link set lo up\n"
                              "addr add " RIG_SERVER4 "/32 dev lo\n"
                              "addr add " RIG_SERVER4B "/32 dev lo\n"
                              "addr add " RIG_SERVER6 "/128 dev lo nodad\n"
                              "route add local 0.0.0.0/0 dev lo\n"
                              "route add local ::/0 dev lo\n";

static char scratch[64];
static pid_t scratch_owner;

const char *rig_dir(void)
{
	return scratch;
}

const char *rig_file(const char *name, const char *format, ...)
{
	static char path[128];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	f = fopen(path, "we");
	assert_non_null(f);
	va_start(ap, format);
	vfprintf(f, format, ap);
	va_end(ap);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
	return path;
}

static void remove_scratch(void)
{
	char command[96];

	if (getpid() != scratch_owner)
		return;
	snprintf(command, sizeof(command), "rm -rf -- '%s'", scratch);
	if (system(command))
		fprintf(stderr, "lab: cannot remove %s\n", scratch);
}

static void give_up(const char *reason)
{
	const char *ci = getenv("CI");

	fprintf(stderr, "lab: no network namespace on this host: %s\n", reason);
	exit(ci && !strcmp(ci, "true") ? 1 : 77);
}

static void set_sysctl(const char *path, const char *value, const char *without)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(value, f) < 0 || fflush(f))
		fprintf(stderr, "lab: %s: %s: %s\n", path, strerror(errno), without);
	if (f)
		fclose(f);
}

/* Clients talk from the server's own address: their sockets keep off the ports that it relays from
 * (50000 and above), or a relay cannot be bound there now and then. */
static void spare_relay_ports(void)
{
	set_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "20000 49999\n",
	           "clients may take ports of the relays");
}

static void enter(char **argv, bool as_root)
{
	char *again[RIG_ARGS_MAX] = {"unshare", "--user", "--map-root-user", "--net", "--"};
	size_t n = 5;

	if (as_root) {
		again[1] = "--net";
		again[2] = "--";
		n = 3;
	}

	if (!getenv(INSIDE)) {
		/* A program of its own does it: a process with threads (ThreadSanitizer has one)
		 * may not. */
		if (as_root && geteuid())
			give_up("changing users needs root");
		if (!as_root && system("unshare --user --map-root-user --net true"))
			give_up("unshare --user --map-root-user --net fails");
		setenv(INSIDE, "1", 1);
		for (size_t i = 0; argv[i] && n < RIG_ARGS_MAX - 1; i++)
			again[n++] = argv[i];
		execvp(again[0], again);
		give_up(strerror(errno));
	}
	snprintf(scratch, sizeof(scratch), "/tmp/turnpike-lab-XXXXXX");
	if (!mkdtemp(scratch))
		give_up(strerror(errno));
	scratch_owner = getpid();
	atexit(remove_scratch);
	free(rig_run("ip -batch -", network));
	spare_relay_ports();
}

void rig_enter(char **argv)
{
	enter(argv, false);
}

void rig_enter_as_root(char **argv)
{
	enter(argv, true);
}

unsigned long long rig_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000 + (unsigned long long)t.tv_nsec / 1000000;
}

void rig_sleep_ms(unsigned int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static void split(char *command, char **argv)
{
	size_t n = 0;

	for (char *save, *word = strtok_r(command, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		assert_true(n < RIG_ARGS_MAX - 1);
		argv[n++] = word;
	}
	argv[n] = NULL;
}

/* The surroundings' settings are not the server's. */
static void forget_settings(void)
{
	for (char **e = environ; *e;) {
		char name[128];

		if (strncmp(*e, "TURNPIKE_", 9) != 0) {
			e++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*e, "="), *e);
		unsetenv(name); /* moves the next one here */
	}
}

static void child(char **argv, const char *in_path, const char *out_path)
{
	int in = open(in_path, O_RDONLY | O_CLOEXEC);
	int out = open(out_path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);

	/* Whatever becomes of the test, nothing is left behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	forget_settings();
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

void rig_start(struct rig_program *p, const char *command, const char *in)
{
	static unsigned int number;
	char text[COMMAND_MAX], in_name[32], *argv[RIG_ARGS_MAX];
	const char *in_path = "/dev/null";

	snprintf(in_name, sizeof(in_name), "in.%u", ++number);
	if (in)
		in_path = rig_file(in_name, "%s", in);
	assert_true((size_t)snprintf(text, sizeof(text), "%s", command) < sizeof(text));
	split(text, argv);
	snprintf(p->output_path, sizeof(p->output_path), "%s/out.%u", scratch, number);
	p->status = -1;
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (!p->pid)
		child(argv, in_path, p->output_path);
}

static bool ended(struct rig_program *p)
{
	int status;

	if (p->pid && waitpid(p->pid, &status, WNOHANG) == p->pid) {
		p->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		p->pid = 0;
	}
	return !p->pid;
}

int rig_wait(struct rig_program *p, unsigned int limit_ms)
{
	unsigned long long until = rig_now_ms() + limit_ms;

	while (!ended(p) && rig_now_ms() < until)
		rig_sleep_ms(10);
	if (p->pid) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
		p->pid = 0;
	}
	return p->status;
}

int rig_signal_and_wait(struct rig_program *p, int signal_number, unsigned int limit_ms)
{
	if (p->pid)
		kill(p->pid, signal_number);
	return rig_wait(p, limit_ms);
}

char *rig_output(const struct rig_program *p)
{
	char *text = calloc(1, RIG_OUT_MAX);
	FILE *f = fopen(p->output_path, "r");

	assert_non_null(text);
	if (f) {
		text[fread(text, 1, RIG_OUT_MAX - 1, f)] = 0;
		fclose(f);
	}
	return text;
}

void rig_fail(char *output, const char *from, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, ":\n%s\n", from);
	free(output);
	fail();
}

bool rig_wait_output(const struct rig_program *p, const char *text, unsigned int limit_ms)
{
	unsigned long long until = rig_now_ms() + limit_ms;
	bool found = false;

	while (!found && rig_now_ms() < until) {
		char *all = rig_output(p);

		found = strstr(all, text);
		free(all);
		if (!found && kill(p->pid, 0))
			break;
		if (!found)
			rig_sleep_ms(20);
	}
	return found;
}

char *rig_run(const char *command, const char *in)
{
	struct rig_program p;
	char *text;
	int status;

	rig_start(&p, command, in);
	status = rig_wait(&p, VERB_MS);
	text = rig_output(&p);
	if (status)
		rig_fail(text, text, "%s: status %d", command, status);
	return text;
}

static const char *turnpike(void)
{
	const char *other = getenv("TURNPIKE_BIN"); /* another build of it */

	return other ? other : TURNPIKE_PROGRAM;
}

void rig_server_prepare(struct rig_server *s, const char *name)
{
	snprintf(s->data, sizeof(s->data), "%s/%s", scratch, name);
	mkdir(s->data, 0700);
}

void rig_server_start(struct rig_server *s, const char *name, const char *options)
{
	char command[COMMAND_MAX];

	rig_server_prepare(s, name);
	/* Clients that leave without a word must not make every test wait for them. */
	snprintf(command, sizeof(command), "%s serve --data %s %s%s", turnpike(), s->data, options,
	         strstr(options, "--drain-timeout") ? "" : " --drain-timeout 0");
	rig_start(&s->program, command, NULL);
	if (!rig_wait_output(&s->program, "event=ready", READY_MS)) {
		char *text = rig_output(&s->program);

		rig_signal_and_wait(&s->program, SIGKILL, STOP_MS);
		rig_fail(text, text, "the server does not start");
	}
}

void rig_server_stop(struct rig_server *s)
{
	int status = rig_signal_and_wait(&s->program, SIGTERM, STOP_MS);
	char *text = rig_output(&s->program);
	char *report = strstr(text, "Sanitizer");

	if (status || report) {
		if (!report)
			report = strlen(text) > 4000 ? text + strlen(text) - 4000 : text;
		rig_fail(text, report, "the server ends with %d", status);
	}
	free(text);
}

int rig_server_end(void **state)
{
	struct rig_server *s = *state;

	if (s->program.pid)
		rig_server_stop(s);
	return 0;
}

long rig_server_rss_kib(const struct rig_server *s)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)s->program.pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld kB", &kib) == 1)
			break;
	fclose(f);
	assert_true(kib > 0);
	return kib;
}

char *rig_verb(const struct rig_server *s, const char *verb, const char *in)
{
	char command[COMMAND_MAX];

	snprintf(command, sizeof(command), "%s --data %s %s", turnpike(), s->data, verb);
	return rig_run(command, in);
}

int rig_try_verb(const struct rig_server *s, const char *verb, const char *in, char **out)
{
	char command[COMMAND_MAX];
	struct rig_program p;
	int status;

	snprintf(command, sizeof(command), "%s --data %s %s", turnpike(), s->data, verb);
	rig_start(&p, command, in);
	status = rig_wait(&p, VERB_MS);
	*out = rig_output(&p);
	return status;
}

void rig_token_add(const struct rig_server *s, char token[RIG_TOKEN_MAX], const char *words, ...)
{
	char verb[128] = "token add ", *said, *at;
	size_t n = strlen(verb);
	va_list ap;

	va_start(ap, words);
	vsnprintf(verb + n, sizeof(verb) - n, words, ap);
	va_end(ap);
	said = rig_verb(s, verb, NULL);
	at = strstr(said, "tp_");
	if (!at)
		rig_fail(said, said, "%s", verb);
	snprintf(token, RIG_TOKEN_MAX, "%.*s", (int)strcspn(at, "\n"), at);
	free(said);
}

static bool settled(const struct rig_server *s)
{
	char *said;
	/* a worker that is asked for its sessions has read what was mailed before */
	bool all = !rig_try_verb(s, "sessions", NULL, &said) && !strstr(said, "has not answered");

	free(said);
	return all;
}

void rig_server_settle(const struct rig_server *s)
{
	SOON(settled(s));
}

static bool counts(const struct rig_server *s, unsigned int n)
{
	char *said = rig_verb(s, "status --json", NULL);
	json_t *status = json_loads(said, 0, NULL);
	bool so = json_integer_value(json_object_get(status, "allocations")) == n;

	json_decref(status);
	free(said);
	return so;
}

void rig_wait_allocations(const struct rig_server *s, unsigned int n)
{
	SOON(counts(s, n));
}

static bool is_taken(const struct addr *a)
{
	int fd = socket(addr_family(a), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool taken;

	assert_true(fd >= 0);
	taken = bind(fd, &a->sa, addr_len(a)) && errno == EADDRINUSE;
	close(fd);
	return taken;
}

void rig_wait_port(const char *address, uint16_t port)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(&a, address, port), 0);
	SOON(is_taken(&a));
}

void rig_echo_start(struct rig_program *p, uint16_t port)
{
	char command[128];

	/* Not an address of lo: that would be the server's own, and nobody's peer. */
	set_sysctl("/proc/sys/net/ipv6/ip_nonlocal_bind", "1\n", "no peer over IPv6");
	snprintf(command, sizeof(command), "turnutils_peer -L " RIG_PEER4 " -L " RIG_PEER6 " -p %u",
	         port);
	rig_start(p, command, NULL);
	rig_wait_port(RIG_PEER4, port);
	rig_wait_port(RIG_PEER6, port);
}

void rig_link(const struct rig_server *s, char url[RIG_LINK_MAX])
{
	char *said = rig_verb(s, "link", NULL), *at = strstr(said, "http");

	assert_non_null(at);
	snprintf(url, RIG_LINK_MAX, "%.*s", (int)strcspn(at, "\n"), at);
	free(said);
}

void rig_guest(const struct rig_server *s, const char *url, char header[RIG_COOKIE_MAX])
{
	char link[RIG_LINK_MAX], command[512], *said, *cookie;

	rig_link(s, link);
	assert_non_null(strstr(link, "/link/"));
	snprintf(command, sizeof(command), "curl -s -k -i -g --noproxy * --max-time 10 %s%s", url,
	         strstr(link, "/link/"));
	said = rig_run(command, NULL);
	cookie = strstr(said, "Set-Cookie: ");
	if (!cookie)
		fail_msg("%s: %s", command, said);
	cookie += strlen("Set-Cookie: ");
	snprintf(header, RIG_COOKIE_MAX, "Cookie: %.*s", (int)strcspn(cookie, ";"), cookie);
	free(said);
}
