/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The TURN client. It writes STUN with the tests' codec, which shares no code
 * with the server.
 */
#include "harness/load/client.h"

#include "harness/load/load.h"
#include "turn/tests/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS 500
#define TRIES     8
#define BUFFER    (4 << 20) /* bytes; the system may allow less */
#define UDP       (17u << 24)

static int udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = BUFFER;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return fd;
}

int client_peer_socket(struct addr *local)
{
	socklen_t len = sizeof(local->in);
	int fd = udp_socket();

	addr_parse_ip(local, LOAD_IP, 0);
	if (fd >= 0 &&
	    (bind(fd, &local->sa, addr_len(local)) || getsockname(fd, &local->sa, &len))) {
		close(fd);
		return -1;
	}
	return fd;
}

int client_open(struct client *c, struct why *why)
{
	struct addr server;

	memset(c, 0, sizeof(*c));
	addr_parse_ip(&server, LOAD_IP, LOAD_PORT);
	c->fd = udp_socket();
	if (c->fd >= 0 && !connect(c->fd, &server.sa, addr_len(&server)))
		return 0;
	client_close(c);
	return why_set(why, error_from_errno(errno), "no socket for a client: %s", strerror(errno));
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static void sign(const struct client *c, struct wire *m)
{
	static _Thread_local uint8_t key[16];
	static _Thread_local bool known;

	if (!*c->nonce)
		return;
	if (!known)
		wire_key(LOAD_USER, LOAD_REALM, LOAD_PASSWORD, key);
	known = true;
	wire_add_str(m, 0x0006, LOAD_USER);
	wire_add_str(m, 0x0014, LOAD_REALM);
	wire_add_str(m, 0x0015, c->nonce);
	wire_add_integrity(m, key);
}

void client_compose(struct client *c, struct wire *m, uint16_t method, uint32_t lifetime_s)
{
	wire_start(m, method, ++c->tid);
	if (method == W_ALLOCATE)
		wire_add_u32(m, 0x0019, UDP);
	else
		wire_add_u32(m, 0x000d, lifetime_s);
	sign(c, m);
}

bool client_take_nonce(struct client *c, const uint8_t *reply, size_t len)
{
	size_t n = 0;
	const uint8_t *nonce = wire_get(reply, len, 0x0015, &n);

	if (!nonce || n >= sizeof(c->nonce))
		return false;
	memcpy(c->nonce, nonce, n);
	c->nonce[n] = 0;
	return true;
}

/* Sends until its answer comes, which then stands in m. 0 or the error code of STUN, or -1. */
static int exchange(struct client *c, struct wire *m)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	static struct wire got;

	for (int i = 0; i < TRIES; i++) {
		ssize_t n = send(c->fd, m->buf, m->len, 0);

		while (n >= 0 && poll(&p, 1, ANSWER_MS) == 1) {
			n = recv(c->fd, got.buf, sizeof(got.buf), 0);
			if (n < 20 || memcmp(got.buf + 8, m->buf + 8, 12) != 0)
				continue; /* of an earlier try */
			memcpy(m->buf, got.buf, (size_t)n);
			m->len = (size_t)n;
			return wire_error(m->buf, m->len);
		}
	}
	return -1;
}

static int refused(int code, const char *what, struct why *why)
{
	return code < 0 ? why_set(why, -E_TIMEOUT, "%s: no answer", what)
	                : why_set(why, -E_DENIED, "%s: error %d", what, code);
}

int client_allocate(struct client *c, struct why *why)
{
	static struct wire m;
	int code;

	client_compose(c, &m, W_ALLOCATE, 0);
	code = exchange(c, &m);
	if ((code == 401 || code == 438) && client_take_nonce(c, m.buf, m.len)) {
		client_compose(c, &m, W_ALLOCATE, 0);
		code = exchange(c, &m);
	}
	if (code)
		return refused(code, "Allocate", why);
	return wire_get_xor_addr(m.buf, m.len, 0x0016, &c->relayed)
	           ? 0
	           : why_set(why, -E_PARSE, "Allocate: no relayed address");
}

static int about_peer(struct client *c, uint16_t method, const char *what, const struct addr *peer,
                      struct why *why)
{
	static struct wire m;
	char text[ADDR_STRLEN];
	int code;

	wire_start(&m, method, ++c->tid);
	if (method == W_CHANNEL_BIND)
		wire_add_u32(&m, 0x000c, (uint32_t)CLIENT_CHANNEL << 16);
	wire_add_xor_addr(&m, 0x0012, addr_format(peer, text));
	sign(c, &m);
	code = exchange(c, &m);
	return code ? refused(code, what, why) : 0;
}

int client_permit(struct client *c, const struct addr *peer, struct why *why)
{
	return about_peer(c, W_CREATE_PERMISSION, "CreatePermission", peer, why);
}

int client_bind_channel(struct client *c, const struct addr *peer, struct why *why)
{
	return about_peer(c, W_CHANNEL_BIND, "ChannelBind", peer, why);
}
