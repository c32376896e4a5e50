/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sockets of UDP and TCP, and OpenSSL on them. As cheap as may be, so that the
 * server is the slower one: one read brings many messages, and what is put
 * together leaves in one write.
 */
#include "harness/load/link.h"

#include "turn/wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER    (4 << 20) /* bytes; the system may allow less */
#define BATCH     32
#define CONNECT_S 5
#define OUT_MAX   65536 /* bytes that are put together */
#define ROOM      (2 * OUT_MAX)
#define RECORD    SSL3_RT_MAX_PLAIN_LENGTH

static const char *const names[] = {"udp", "tcp", "tls", "dtls"};

bool link_transport_parse(const char *name, enum link_transport *out)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		*out = (enum link_transport)i;
		return true;
	}
	return false;
}

const char *link_transport_name(enum link_transport t)
{
	return names[t];
}

/* Both servers get the same version, cipher and group: Debian's coturn 4.6.1 refuses TLS 1.3. We
 * made the certificate for this run, and no other host can be reached. */
static SSL_CTX *new_context(bool dgram)
{
	SSL_CTX *ctx = SSL_CTX_new(dgram ? DTLS_client_method() : TLS_client_method());
	int version = dgram ? DTLS1_2_VERSION : TLS1_2_VERSION;

	if (!ctx)
		return NULL;
	if (!SSL_CTX_set_min_proto_version(ctx, version) ||
	    !SSL_CTX_set_max_proto_version(ctx, version) ||
	    !SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256") ||
	    !SSL_CTX_set1_groups_list(ctx, "P-256")) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

/* Made once, for as long as the program runs. */
static SSL_CTX *context(bool dgram)
{
	static SSL_CTX *made[2];

	if (!made[dgram])
		made[dgram] = new_context(dgram);
	return made[dgram];
}

int link_udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = BUFFER;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return fd;
}

/* Over loopback it is connected at once, or not at all. */
static int connected_socket(enum link_transport t, const struct addr *to)
{
	bool dgram = !link_is_stream(t);
	int fd = dgram ? link_udp_socket() : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = CONNECT_S};
	int one = 1, err;

	if (fd < 0)
		return -1;
	if (!dgram)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, &to->sa, addr_len(to)) && !fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* Without the address of the other side, it takes its socket for one that is not connected. */
static bool tell_address(BIO *dgram, const struct addr *to)
{
	BIO_ADDR *a = BIO_ADDR_new();
	bool ok = a && BIO_ADDR_rawmake(a, AF_INET, &to->in.sin_addr, sizeof(to->in.sin_addr),
	                                to->in.sin_port);

	if (ok)
		BIO_ctrl(dgram, BIO_CTRL_DGRAM_SET_CONNECTED, 0, a);
	BIO_ADDR_free(a);
	return ok;
}

static bool start_ssl(struct link *l, const struct addr *to)
{
	bool dgram = l->transport == LINK_DTLS;
	SSL_CTX *ctx = context(dgram);
	BIO *in;

	l->ssl = ctx ? SSL_new(ctx) : NULL;
	in = dgram ? BIO_new_dgram(l->fd, BIO_NOCLOSE) : BIO_new_socket(l->fd, BIO_NOCLOSE);
	if (!l->ssl || !in || (dgram && !tell_address(in, to))) {
		BIO_free(in);
		return false;
	}
	if (dgram) {
		SSL_set_bio(l->ssl, in, in);
	} else {
		BIO_up_ref(l->out);
		SSL_set_bio(l->ssl, in, l->out);
	}
	SSL_set_connect_state(l->ssl);
	return true;
}

int link_open(struct link *l, enum link_transport t, const struct addr *to, struct why *why)
{
	bool ok;

	*l = (struct link){.transport = t, .fd = connected_socket(t, to)};
	if (l->fd < 0)
		return why_set(why, error_from_errno(errno), "no %s socket: %s", names[t],
		               strerror(errno));
	if (link_is_stream(t))
		l->out = BIO_new(BIO_s_mem());
	ok = !link_is_stream(t) || l->out;
	if (ok && (t == LINK_TLS || t == LINK_DTLS))
		ok = start_ssl(l, to);
	if (ok)
		return 0;
	link_close(l);
	ERR_clear_error();
	return why_set(why, -E_NOMEM, "out of memory");
}

void link_close(struct link *l)
{
	if (l->fd < 0)
		return;
	if (l->ssl && SSL_is_init_finished(l->ssl)) {
		SSL_shutdown(l->ssl);
		link_flush(l);
	}
	ERR_clear_error();
	SSL_free(l->ssl);
	BIO_free(l->out);
	free(l->in);
	close(l->fd);
	*l = (struct link){.fd = -1};
}

/* 0, -E_LATER or -E_IO: what SSL's failure means. */
static int failure(const struct link *l, int result)
{
	int e = SSL_get_error(l->ssl, result);

	ERR_clear_error();
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? -E_LATER : -E_IO;
}

int link_ready(struct link *l)
{
	int r;

	if (!l->ssl || SSL_is_init_finished(l->ssl))
		return 0;
	r = SSL_do_handshake(l->ssl);
	r = r == 1 ? 0 : failure(l, r);
	link_flush(l);
	return r;
}

void link_retry(struct link *l)
{
	if (l->transport == LINK_DTLS)
		DTLSv1_handle_timeout(l->ssl);
}

bool link_put(struct link *l, const uint8_t *m, size_t len)
{
	size_t put;

	if (l->transport == LINK_UDP)
		return send(l->fd, m, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
	if (l->out && (l->full || BIO_pending(l->out) >= OUT_MAX) && !link_flush(l))
		return false;
	if (l->transport == LINK_TCP)
		return BIO_write(l->out, m, (int)len) == (int)len;
	if (SSL_write_ex(l->ssl, m, len, &put))
		return true;
	ERR_clear_error();
	return false;
}

bool link_flush(struct link *l)
{
	static char scratch[OUT_MAX];
	char *data;
	ssize_t n = 1;
	long len = 0;

	while (l->out && n > 0 && (len = BIO_get_mem_data(l->out, &data)) > 0) {
		n = send(l->fd, data, len < OUT_MAX ? (size_t)len : OUT_MAX,
		         MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			BIO_read(l->out, scratch, (int)n); /* it is done with */
	}
	l->full = len > 0;
	return !l->full;
}

/* ---- what comes ---- */

static int take_datagrams(struct link *l, link_fn *fn, void *arg)
{
	static uint8_t room[BATCH][LINK_MESSAGE_MAX];
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	int n;

	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){room[i], LINK_MESSAGE_MAX};
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(l->fd, msg, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		fn(arg, room[i], msg[i].msg_len);
	return 0;
}

/* How many bytes (more than 0), -E_LATER, or -E_CLOSED. */
static ssize_t read_some(struct link *l, uint8_t *buf, size_t size)
{
	ssize_t n;

	if (l->ssl) {
		size_t got;
		int r = SSL_read_ex(l->ssl, buf, size, &got);

		if (r > 0)
			return (ssize_t)got;
		return failure(l, r) == -E_LATER ? -E_LATER : -E_CLOSED;
	}
	n = recv(l->fd, buf, size, MSG_DONTWAIT);
	if (n > 0)
		return n;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? -E_LATER : -E_CLOSED;
}

static int take_records(struct link *l, link_fn *fn, void *arg)
{
	static uint8_t room[RECORD];
	ssize_t n;

	while ((n = read_some(l, room, sizeof(room))) > 0)
		fn(arg, room, (size_t)n);
	return n == -E_LATER ? 0 : (int)n;
}

/* Hands over what is whole and keeps the rest. */
static int cut(struct link *l, const uint8_t *data, size_t len, link_fn *fn, void *arg)
{
	size_t at = 0, frame;
	uint8_t *kept;

	while ((frame = wire_frame_len(data + at, len - at)) && frame <= len - at) {
		fn(arg, data + at, frame);
		at += frame;
	}
	l->in_len = len - at;
	if (l->in_len > LINK_MESSAGE_MAX) /* no message of ours: out of step */
		return -E_CLOSED;
	if (!l->in_len)
		return 0;
	kept = l->in ? l->in : malloc(LINK_MESSAGE_MAX);
	if (!kept)
		return -E_CLOSED;
	memcpy(kept, data + at, l->in_len);
	l->in = kept;
	return 0;
}

static int take_stream(struct link *l, link_fn *fn, void *arg)
{
	static uint8_t room[ROOM];
	int r = 0;

	do { /* a record each; of what is in the socket an event tells again */
		size_t len = l->in_len;
		ssize_t n;

		if (len)
			memcpy(room, l->in, len);
		n = read_some(l, room + len, sizeof(room) - len);
		if (n <= 0)
			return n == -E_LATER ? 0 : (int)n;
		r = cut(l, room, len + (size_t)n, fn, arg);
	} while (!r && l->ssl && SSL_has_pending(l->ssl));
	return r;
}

int link_take(struct link *l, link_fn *fn, void *arg)
{
	if (l->transport == LINK_UDP)
		return take_datagrams(l, fn, arg);
	return l->transport == LINK_DTLS ? take_records(l, fn, arg) : take_stream(l, fn, arg);
}

void link_describe(const struct link *l, char *out, size_t size)
{
	*out = 0;
	if (l->ssl)
		snprintf(out, size, "%s, %s", SSL_get_version(l->ssl), SSL_get_cipher(l->ssl));
}
