/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The appliance as a child process, and one HTTPS request to its health page.
 */
#include "harness/scenarios/appliance.h"

#include "harness/clock.h"
#include "harness/lab/contain.h"
#include "harness/lab/proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define WELL_MS    20000
#define STOP_MS    5000
#define REQUEST_MS 2000
#define DATA       CONTAIN_WORK "/turnpike"

struct appliance {
	pid_t pid;
	int log_fd;
	int server_ns;
};

/* The log's last line, for people. */
static void last_words(int log_fd, char *buf, size_t size)
{
	off_t end = lseek(log_fd, 0, SEEK_END);
	off_t from = end > (off_t)size - 1 ? end - (off_t)size + 1 : 0;
	ssize_t n = end > 0 ? pread(log_fd, buf, size - 1, from) : 0;
	char *line;

	buf[n > 0 ? n : 0] = '\0';
	while (n > 0 && buf[n - 1] == '\n')
		buf[--n] = '\0';
	line = strrchr(buf, '\n');
	if (line)
		memmove(buf, line + 1, strlen(line + 1) + 1);
}

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

/* GET /healthz. The certificate is the appliance's own: there is nobody to vouch for it here. */
static int ask_health(int server_ns, struct why *why)
{
	static const char request[] =
	    "GET /healthz HTTP/1.1\r\nHost: " LAB_SERVER_IP "\r\nConnection: close\r\n\r\n";
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	char answer[64] = "";
	int fd = connect_https(server_ns, why);
	int n, err;

	if (fd < 0) {
		err = fd;
		goto out;
	}
	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		err = why_set(why, -E_NOMEM, "out of memory");
		goto out;
	}
	/* As a browser does: the port may tell its protocols apart by this. */
	SSL_set_alpn_protos(ssl, (const unsigned char *)"\x08http/1.1", 9);
	if (SSL_connect(ssl) != 1) {
		err = why_set(why, -E_IO, "no TLS on %s:443", LAB_SERVER_IP);
		goto out;
	}
	n = SSL_write(ssl, request, sizeof(request) - 1);
	if (n > 0)
		n = SSL_read(ssl, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = '\0';
	if (strncmp(answer, "HTTP/1.1 200", 12) == 0)
		err = 0;
	else
		err = why_set(why, -E_IO, "/healthz answers \"%.*s\"", (int)strcspn(answer, "\r\n"),
		              answer);
out:
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	if (fd >= 0)
		close(fd);
	return err;
}

int appliance_check(struct appliance *a, struct why *why)
{
	char how[96], said[300];
	int status;

	if (a->pid <= 0 || proc_running(a->pid, &status))
		return 0;
	a->pid = -1;
	last_words(a->log_fd, said, sizeof(said));
	return why_set(why, -E_CLOSED, "turnpike serve %s; its last words: %s",
	               proc_status_text(status, how, sizeof(how)), said);
}

int appliance_start(struct appliance **out, const char *program, const struct lab *lab, int log_fd,
                    struct why *why)
{
	const char *const argv[] = {program, "serve", "--data", DATA, "--listen",
	                            LAB_SERVER_IP ":3478", "--listen", LAB_SERVER_IP ":443",
	                            "--listen", LAB_SERVER_IP ":6503",
	                            /* The lab's addresses are documentation ranges, which no
	                             * relay should reach by default. */
	                            "--relay-allow", "203.0.113.0/24", "--relay-allow",
	                            "2001:db8::/32", "--guests", "yes", NULL};
	struct appliance *a = calloc(1, sizeof(*a));
	struct proc_opt po = PROC_OPT_DEFAULT;
	int64_t deadline = clock_mono_ms() + WELL_MS;
	struct why health = {""};
	char said[300];
	int err;

	if (!a)
		return why_set(why, -E_NOMEM, "out of memory");
	a->log_fd = log_fd;
	a->server_ns = lab_server_ns(lab);
	po.netns_fd = a->server_ns;
	po.fd[1] = po.fd[2] = log_fd;
	if (mkdir(DATA, 0700) != 0)
		err = why_set(why, error_from_errno(errno), "%s: %s", DATA, strerror(errno));
	else
		err = proc_spawn(argv, &po, &a->pid, why);
	while (err == 0 && ask_health(a->server_ns, &health) != 0) {
		err = appliance_check(a, why);
		if (err == 0 && clock_mono_ms() >= deadline) {
			last_words(log_fd, said, sizeof(said));
			err = why_set(why, -E_TIMEOUT,
			              "turnpike serve was not well after %d s: %.150s; its last "
			              "words: %s",
			              WELL_MS / 1000, health.text, said);
		}
		if (err == 0)
			clock_sleep_ms(30);
	}
	if (err != 0) {
		appliance_stop(a, NULL);
		return err;
	}
	*out = a;
	return 0;
}

int appliance_stop(struct appliance *a, struct why *why)
{
	char how[96];
	int status = 0, err;

	if (!a)
		return 0;
	err = appliance_check(a, why);
	if (err == 0 && a->pid > 0) {
		kill(a->pid, SIGTERM);
		err = proc_wait(a->pid, STOP_MS, &status);
		if (err != 0) {
			why_set(why, err, "turnpike serve did not end within %d s of SIGTERM",
			        STOP_MS / 1000);
			proc_stop(a->pid, 0);
		} else if (status != 0) {
			err = why_set(why, -E_CLOSED, "turnpike serve, asked to end, %s",
			              proc_status_text(status, how, sizeof(how)));
		}
	}
	free(a);
	return err;
}
