/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A process a connection: browsers open some that they do not use yet.
 */
#include "harness/browser/tests/http_echo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void answer(int fd, volatile unsigned *tunnels)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
	                           "Set-Cookie: seen=yes\r\nConnection: close\r\n\r\n"
	                           "<!doctype html><pre id=request>";
	static const char no_tunnel[] = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
	char request[4096] = "";
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, request + len, sizeof(request) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
		request[len] = '\0';
	} while (n > 0 && !strstr(request, "\r\n\r\n"));
	if (!strncmp(request, "CONNECT ", 8)) {
		*tunnels += !strncmp(request, HTTP_ECHO_TUNNEL, sizeof(HTTP_ECHO_TUNNEL) - 1);
		len = 0;
		if (write(fd, no_tunnel, sizeof(no_tunnel) - 1) < 0)
			return;
	}
	if (len == 0 || write(fd, head, sizeof(head) - 1) < 0 || write(fd, request, len) < 0)
		return;
	shutdown(fd, SHUT_WR);
	while (read(fd, request, sizeof(request)) > 0)
		;
}

__attribute__((noreturn)) static void serve(int listen_fd, volatile unsigned *tunnels)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept(listen_fd, NULL, NULL);

		if (fd >= 0 && fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			answer(fd, tunnels);
			_exit(0);
		}
		close(fd);
	}
}

int http_echo_start(struct http_echo *e)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	e->pid = -1;
	e->tunnels = mmap(NULL, sizeof(*e->tunnels), PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (e->tunnels != MAP_FAILED && fd >= 0 &&
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 && listen(fd, 16) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sin, &len) == 0) {
		e->port = ntohs(sin.sin_port);
		e->pid = fork();
		if (e->pid == 0)
			serve(fd, e->tunnels);
	}
	if (fd >= 0)
		close(fd);
	return e->pid > 0 ? 0 : -1;
}

void http_echo_stop(struct http_echo *e)
{
	if (e->pid <= 0)
		return;
	kill(e->pid, SIGKILL);
	waitpid(e->pid, NULL, 0);
	munmap((void *)e->tunnels, sizeof(*e->tunnels));
	e->pid = -1;
}
