/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verb "health": asks the server that the configuration describes whether
 * it is well, as a container's health check or a script does.
 */
#include "daemon/cli/cli_internal.h"
#include "daemon/issue/endpoint.h"

#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 3000 /* of all of it: Docker's own limit is longer */

/* No call on fd lasts beyond the deadline. */
static int limit(int fd, int64_t deadline)
{
	int64_t left = deadline - clock_mono_ms();
	struct timeval tv = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};

	if (left <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) ||
	               setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv))
	           ? -1
	           : 0;
}

/* The address at which this host reaches that listener. */
static struct addr reach(const struct addr *listen)
{
	struct addr to = *listen;

	if (!addr_is_any(listen))
		return to;
	addr_parse_ip(&to, addr_family(listen) == AF_INET6 ? "::1" : "127.0.0.1",
	              addr_port(listen));
	return to;
}

/* The status of an answer to GET /healthz; every port speaks HTTP. 0 if what answers is no HTTP
 * server, -1 and errno if nothing answers. */
static int ask(const struct conf *conf, const struct addr *to, int64_t deadline)
{
	static const char request[] =
	    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	char text[64] = "";
	size_t len = 0;
	ssize_t n = 0;
	int status = -1, saved;
	int fd = socket(addr_family(to), SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (limit(fd, deadline) || connect(fd, &to->sa, addr_len(to)) || endpoint_greet(conf, fd) ||
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1)
		goto out;
	while (len + 1 < sizeof(text)) { /* the status line is enough */
		if (limit(fd, deadline))
			goto out;
		n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (n < 0)
		goto out;
	if (sscanf(text, "HTTP/1.%*1d %3d", &status) != 1)
		status = 0;
out:
	saved = errno == EAGAIN || errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	errno = saved;
	return status;
}

static int judge(const struct cli *cli, const struct addr *to, int status, struct why *why)
{
	char where[ADDR_STRLEN];
	int failed;

	addr_format(to, where);
	if (cli->json) {
		failed = cli_print_json(json_pack("{sb ss si}", "ok", status == 200, "address",
		                                  where, "status", status),
		                        why);
		if (failed)
			return failed;
	} else if (status == 200) {
		printf("healthy: %s answers\n", where);
	}
	if (status == 200)
		return 0;
	if (!status)
		return why_set(why, CLI_EXIT_FAIL,
		               "another program answers on %s: give this command the server's "
		               "settings (listen)",
		               where);
	return why_set(why, CLI_EXIT_FAIL, "%s answers /healthz with %d: see the server's log",
	               where, status);
}

int cli_health(struct cli *cli, struct why *why)
{
	const struct conf_addrs *listen = &cli->conf.listen;
	int64_t deadline = clock_mono_ms() + LIMIT_MS;
	char where[ADDR_STRLEN];
	bool asked = false, balancers = false;

	for (size_t i = 0; i < listen->n; i++) {
		struct addr to = reach(&listen->v[i]);
		int status;

		if (!addr_port(&to))
			continue; /* the system chose it, and told the server alone */
		if (endpoint_is_for_balancers(&cli->conf, &to)) {
			balancers = true;
			continue;
		}
		asked = true;
		status = ask(&cli->conf, &to, deadline);
		if (status >= 0)
			return judge(cli, &to, status, why);
		why_set(why, CLI_EXIT_FAIL,
		        "no answer from %s: %s: does the server run, and does this command have "
		        "its settings (listen)?",
		        addr_format(&to, where), strerror(errno));
	}
	if (!asked && balancers)
		return why_set(
		    why, CLI_EXIT_FAIL,
		    "all listeners accept only the balancers in proxy_from: add a listener without "
		    "the word proxy to listen, or 127.0.0.1 to proxy_from");
	if (!asked)
		return why_set(
		    why, CLI_EXIT_FAIL,
		    "all ports of listen are 0, so only the server knows them: give one a number");
	return CLI_EXIT_FAIL;
}
