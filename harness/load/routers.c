/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the hub is compared with: the floor, which is this program, and a router on Node's ws.
 */
#include "harness/load/load.h"
#include "harness/load/router_js.h"
#include "harness/load/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOOR_PORT    "8081"
#define NODE_PORT     "8082"
#define NODE_TLS_PORT "8083"
#define SCRIPT        CONTAIN_WORK "/router.js"
#define NODE_MODULES                                                                               \
	"/usr/share/nodejs" /* where Debian's node-ws is; not every node looks there               \
	                     */

static bool accepts(struct server *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons(s->port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof(to));

	if (fd >= 0)
		close(fd);
	return ok;
}

static int spawn_floor(struct server *s, const char *program, struct why *why)
{
	const char *const argv[] = {program, "floor", FLOOR_PORT, NULL};

	s->port = (uint16_t)atoi(FLOOR_PORT);
	s->no_lists = true;
	return server_spawn(s, argv, why);
}

static int write_script(struct why *why)
{
	int fd = open(SCRIPT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 &&
	          write(fd, router_js, sizeof(router_js) - 1) == (ssize_t)sizeof(router_js) - 1;

	if (fd >= 0)
		close(fd);
	return ok ? 0 : why_set(why, -E_IO, "cannot write %s: %s", SCRIPT, strerror(errno));
}

static int spawn_node(struct server *s, const char *program, struct why *why)
{
	const char *const argv[] = {program,     SCRIPT,     NODE_PORT, NODE_TLS_PORT,
	                            SERVER_CERT, SERVER_KEY, s->lie,    NULL};
	int r = write_script(why);

	s->port = (uint16_t)atoi(s->transport == LINK_TLS ? NODE_TLS_PORT : NODE_PORT);
	setenv("NODE_PATH", NODE_MODULES, 0);
	return r ? r : server_spawn(s, argv, why);
}

const struct server_kind server_floor = {"floor", "/proc/self/exe", spawn_floor, accepts};
const struct server_kind server_node = {"node", "node", spawn_node, accepts};
