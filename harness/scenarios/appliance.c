/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The appliance as a child process, and one HTTPS request to its health page.
 */
#include "harness/scenarios/appliance.h"

#include "base/clock.h"
#include "harness/lab/proc.h"
#include "harness/lab/selfcert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define WELL_MS    20000
#define STOP_MS    8000 /* longer than its drain_timeout */
#define KILL_MS    5000
#define REQUEST_MS 2000
#define VERB_MS    10000
#define DATA       CONTAIN_WORK "/turnpike"

struct appliance {
	const char *program;
	const char *const *options; /* of the scenario; NULL: none */
	pid_t pid;                  /* -1 once it has ended */
	int log_fd;
	int server_ns;
};

/* Before those of the scenario, which may say otherwise. */
static const char *const own_options[] = {
    "serve",
    "--data",
    DATA,
    "--listen",
    LAB_SERVER_IP ":3478",
    "--listen",
    LAB_SERVER_IP ":443",
    "--listen",
    LAB_SERVER_IP ":6503",
    "--listen",
    "[" LAB_SERVER_IP6 "]:3478",
    "--listen",
    "[" LAB_SERVER_IP6 "]:443",
    /* The lab's addresses are documentation ranges, which no relay should reach by default. */
    "--relay-allow",
    "203.0.113.0/24",
    "--relay-allow",
    "2001:db8::/32",
    "--guests",
    "yes",
    /* Behind NAT64 clients know it by a name alone. */
    "--cors-origin",
    "https://" LAB_SERVER_NAME,
};

#define OWN_OPTIONS (sizeof(own_options) / sizeof(*own_options))

static int connect_https(int server_ns, struct why *why)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(443)};
	struct timeval limit = {.tv_sec = REQUEST_MS / 1000};
	int fd = lab_socket(server_ns, AF_INET, SOCK_STREAM, why);

	if (fd < 0)
		return fd;
	inet_pton(AF_INET, LAB_SERVER_IP, &sin.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		why_set(why, -E_IO, "connecting to %s:443: %s", LAB_SERVER_IP, strerror(errno));
		close(fd);
		return -E_IO;
	}
	return fd;
}

/* GETs the path: the status, or a code. The certificate is the appliance's own, so it is not
 * verified here. */
static int get(int server_ns, const char *path, struct why *why)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	char request[256], answer[64] = "";
	int fd = connect_https(server_ns, why);
	int n, status, result;

	if (fd < 0) {
		result = fd;
		goto out;
	}
	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		result = why_set(why, -E_NOMEM, "out of memory");
		goto out;
	}
	/* As a browser does: the port may tell its protocols apart by this. */
	SSL_set_alpn_protos(ssl, (const unsigned char *)"\x08http/1.1", 9);
	if (SSL_connect(ssl) != 1) {
		result = why_set(why, -E_IO, "no TLS on %s:443", LAB_SERVER_IP);
		goto out;
	}
	n = snprintf(request, sizeof(request),
	             "GET %s HTTP/1.1\r\nHost: " LAB_SERVER_IP "\r\nConnection: close\r\n\r\n",
	             path);
	n = SSL_write(ssl, request, n);
	if (n > 0)
		n = SSL_read(ssl, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	if (sscanf(answer, "HTTP/1.1 %3d", &status) == 1)
		result = status;
	else
		result = why_set(why, -E_IO, "%s answers \"%.*s\"", path,
		                 (int)strcspn(answer, "\r\n"), answer);
out:
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	if (fd >= 0)
		close(fd);
	return result;
}

int appliance_ask(struct appliance *a, const char *path, struct why *why)
{
	return get(a->server_ns, path, why);
}

static int ask_health(int server_ns, struct why *why)
{
	int status = get(server_ns, "/healthz", why);

	if (status < 0)
		return status;
	return status == 200 ? 0 : why_set(why, -E_IO, "/healthz answers %d", status);
}

int appliance_check(struct appliance *a, struct why *why)
{
	return proc_check(&a->pid, "turnpike serve", a->log_fd, why);
}

static int spawn(struct appliance *a, struct why *why)
{
	const char *argv[1 + OWN_OPTIONS + APPLIANCE_OPTIONS + 1] = {a->program};
	struct proc_opt po = PROC_OPT_DEFAULT;
	size_t n = 1 + OWN_OPTIONS;

	memcpy(argv + 1, own_options, sizeof(own_options));
	for (const char *const *o = a->options; o && *o && n < 1 + OWN_OPTIONS + APPLIANCE_OPTIONS;
	     o++)
		argv[n++] = *o;
	po.netns_fd = a->server_ns;
	po.fd[1] = po.fd[2] = a->log_fd;
	return proc_spawn(argv, &po, &a->pid, why);
}

static int await_well(struct appliance *a, struct why *why)
{
	int64_t deadline = clock_mono_ms() + WELL_MS;
	struct why health = {""};
	char said[300];

	while (ask_health(a->server_ns, &health) != 0) {
		int err = appliance_check(a, why);

		if (err != 0)
			return err;
		if (clock_mono_ms() >= deadline) {
			proc_last_words(a->log_fd, said, sizeof(said));
			return why_set(why, -E_TIMEOUT,
			               "turnpike serve was not well after %d s: %.150s; its last "
			               "words: %s",
			               WELL_MS / 1000, health.text, said);
		}
		clock_sleep_ms(30);
	}
	return 0;
}

int appliance_start(struct appliance **out, const char *program, const char *const *options,
                    const struct lab *lab, int log_fd, struct why *why)
{
	struct appliance *a = calloc(1, sizeof(*a));
	int err = 0;

	if (!a)
		return why_set(why, -E_NOMEM, "out of memory");
	*a = (struct appliance){.program = program,
	                        .options = options,
	                        .pid = -1,
	                        .log_fd = log_fd,
	                        .server_ns = lab_server_ns(lab)};
	if (mkdir(DATA, 0700) != 0)
		err = why_set(why, error_from_errno(errno), "%s: %s", DATA, strerror(errno));
	if (err == 0 && options)
		err = selfcert_write(LAB_SERVER_NAME, APPLIANCE_CERT, APPLIANCE_KEY, why);
	if (err == 0)
		err = spawn(a, why);
	if (err == 0)
		err = await_well(a, why);
	if (err != 0) {
		appliance_stop(a, NULL);
		return err;
	}
	*out = a;
	return 0;
}

int appliance_kill(struct appliance *a, struct why *why)
{
	int status, err = appliance_check(a, why);

	if (err != 0 || a->pid <= 0)
		return err;
	kill(a->pid, SIGKILL);
	if (proc_wait(a->pid, KILL_MS, &status) != 0)
		return why_set(why, -E_TIMEOUT, "turnpike serve outlived SIGKILL");
	a->pid = -1;
	return 0;
}

int appliance_again(struct appliance *a, struct why *why)
{
	int err = spawn(a, why);

	return err ? err : await_well(a, why);
}

int appliance_drain(struct appliance *a, struct why *why)
{
	int err = appliance_check(a, why);

	if (err == 0 && (a->pid <= 0 || kill(a->pid, SIGTERM) != 0))
		err = why_set(why, -E_CLOSED, "turnpike serve has ended already");
	return err;
}

int appliance_await_end(struct appliance *a, int64_t limit_ms, struct why *why)
{
	char how[96];
	int status = 0;

	if (a->pid <= 0)
		return 0;
	if (proc_wait(a->pid, limit_ms, &status) != 0)
		return why_set(why, -E_TIMEOUT, "turnpike serve did not end within %lld s",
		               (long long)limit_ms / 1000);
	a->pid = -1;
	if (status == 0)
		return 0;
	return why_set(why, -E_CLOSED, "turnpike serve, asked to end, %s",
	               proc_status_text(status, how, sizeof(how)));
}

int appliance_verb(struct appliance *a, const char *const *words, json_t **said, struct why *why)
{
	const char *argv[3 + APPLIANCE_WORDS + 1] = {a->program, "--data", DATA};
	int fd = -1, err;

	for (size_t n = 0; words[n] && n < APPLIANCE_WORDS; n++)
		argv[3 + n] = words[n];
	err = proc_ask(argv, a->server_ns, VERB_MS, &fd, why);
	if (err != 0)
		return err;
	if (said) {
		*said = json_loadfd(fd, 0, NULL);
		if (!*said)
			err = why_set(why, -E_PARSE, "turnpike %s gave no JSON", words[0]);
	}
	close(fd);
	return err;
}

int appliance_visitors(struct appliance *a, struct why *why)
{
	static const char *const words[] = {"status", "--json", NULL};
	json_t *status = NULL, *n;
	int result = appliance_verb(a, words, &status, why);

	if (result != 0)
		return result;
	n = json_object_get(status, "signal_connections");
	result = json_is_integer(n) ? (int)json_integer_value(n)
	                            : why_set(why, -E_PARSE, "turnpike status tells no number");
	json_decref(status);
	return result;
}

pid_t appliance_pid(const struct appliance *a)
{
	return a->pid > 0 ? a->pid : 0;
}

int appliance_stop(struct appliance *a, struct why *why)
{
	int err;

	if (!a)
		return 0;
	err = appliance_check(a, why);
	if (err == 0 && a->pid > 0) {
		kill(a->pid, SIGTERM);
		err = appliance_await_end(a, STOP_MS, why);
		if (err == -E_TIMEOUT) {
			why_set(why, err, "turnpike serve did not end within %d s of SIGTERM",
			        STOP_MS / 1000);
			proc_stop(a->pid, 0);
		}
	}
	free(a);
	return err;
}
