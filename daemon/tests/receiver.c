/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A small HTTP server that takes POSTs.
 */
#include "daemon/tests/receiver.h"

#include "base/tests/test.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define POSTS_MAX       20000
#define CONNECTIONS_MAX 512
#define HEAD_MAX        8192
#define TEXT_MAX        4096

struct connection {
	struct receiver *r;
	int fd, number;
	SSL *ssl;
	pthread_t thread;
	char in[HEAD_MAX];
	size_t len;
};

struct receiver {
	int fd;
	uint16_t port;
	SSL_CTX *tls;
	pthread_t thread;
	pthread_mutex_t lock; /* the rest is under it */
	int status;
	char headers[TEXT_MAX], body[65536];
	struct receiver_post *posts;
	size_t n;
	struct connection *connections[CONNECTIONS_MAX];
	int connection_n;
	bool stop;
};

static ssize_t get(struct connection *c, void *out, size_t len)
{
	return c->ssl ? SSL_read(c->ssl, out, (int)len) : recv(c->fd, out, len, 0);
}

static void put(struct connection *c, const char *text)
{
	size_t len = strlen(text);

	if (c->ssl)
		SSL_write(c->ssl, text, (int)len);
	else
		send(c->fd, text, len, MSG_NOSIGNAL);
}

/* The value of a header line; "" if there is none. */
static char *header(const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
		if (!strncasecmp(line + 2, name, n) && line[2 + n] == ':') {
			const char *value = line + 3 + n;

			value += strspn(value, " ");
			return strndup(value, strcspn(value, "\r"));
		}
	return strdup("");
}

/* Up to the end of the head; false when the connection ends first. */
static bool read_head(struct connection *c)
{
	while (!strstr(c->in, "\r\n\r\n")) {
		ssize_t n = c->len + 1 < sizeof(c->in)
		                ? get(c, c->in + c->len, sizeof(c->in) - 1 - c->len)
		                : 0;

		if (n <= 0)
			return false;
		c->len += (size_t)n;
		c->in[c->len] = 0;
	}
	return true;
}

static char *read_body(struct connection *c)
{
	char *head_end = strstr(c->in, "\r\n\r\n") + 4, *length = header(c->in, "content-length");
	size_t len = strtoul(length, NULL, 10), have = c->len - (size_t)(head_end - c->in);
	char *body = calloc(1, len + 1);

	free(length);
	have = have < len ? have : len;
	memcpy(body, head_end, have);
	c->len -= (size_t)(head_end - c->in) + have;
	memmove(c->in, head_end + have, c->len + 1);
	while (have < len) {
		ssize_t n = get(c, body + have, len - have);

		if (n <= 0) {
			free(body);
			return NULL;
		}
		have += (size_t)n;
	}
	return body;
}

/* Returns the text to answer with, or NULL: RECEIVER_HANGS or RECEIVER_CLOSES, which is in *status.
 */
static char *note(struct connection *c, struct receiver_post *post, int *status)
{
	struct receiver *r = c->r;
	char *answer = NULL;

	pthread_mutex_lock(&r->lock);
	*status = r->status;
	post->answered = r->status > 0 ? r->status : 0;
	post->at_ms = test_now_ms();
	post->connection = c->number;
	if (r->n < POSTS_MAX)
		r->posts[r->n++] = *post;
	if (r->status > 0 &&
	    asprintf(&answer, "HTTP/1.1 %d Something\r\n%sContent-Length: %zu\r\n\r\n%s", r->status,
	             r->headers, strlen(r->body), r->body) < 0)
		answer = NULL;
	pthread_mutex_unlock(&r->lock);
	return answer;
}

static bool serve_one(struct connection *c)
{
	struct receiver_post post = {.path = NULL};
	char *answer;
	int status;

	if (!read_head(c) || strncmp(c->in, "POST ", 5) != 0)
		return false;
	post.path = strndup(c->in + 5, strcspn(c->in + 5, " "));
	post.id = header(c->in, "webhook-id");
	post.timestamp = header(c->in, "webhook-timestamp");
	post.signature = header(c->in, "webhook-signature");
	post.type = header(c->in, "content-type");
	post.body = read_body(c);
	if (!post.body)
		return false;
	answer = note(c, &post, &status);
	if (answer)
		put(c, answer);
	free(answer);
	if (status == RECEIVER_HANGS) {
		char byte;

		get(c, &byte, 1); /* until the client gives up, or we are stopped */
	}
	return status > 0;
}

static void *serve(void *arg)
{
	struct connection *c = arg;

	if (!c->ssl || SSL_accept(c->ssl) == 1)
		while (serve_one(c))
			;
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void *run(void *arg)
{
	struct receiver *r = arg;
	int fd;

	while ((fd = accept(r->fd, NULL, NULL)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));

		c->r = r;
		c->fd = fd;
		if (r->tls) {
			c->ssl = SSL_new(r->tls);
			SSL_set_fd(c->ssl, fd);
		}
		pthread_mutex_lock(&r->lock);
		c->number = r->connection_n;
		if (r->stop || c->number == CONNECTIONS_MAX ||
		    pthread_create(&c->thread, NULL, serve, c)) {
			SSL_free(c->ssl);
			close(fd);
			free(c);
		} else {
			r->connections[r->connection_n++] = c;
		}
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

struct receiver *receiver_start(uint16_t port, const char *cert, const char *key)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	                         .sin_port = htons(port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct receiver *r = calloc(1, sizeof(*r));
	socklen_t len = sizeof(at);
	int on = 1;

	assert_non_null(r);
	r->posts = calloc(POSTS_MAX, sizeof(*r->posts));
	assert_non_null(r->posts);
	r->status = 200;
	pthread_mutex_init(&r->lock, NULL);
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(r->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(r->fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(r->fd, 64), 0);
	getsockname(r->fd, (struct sockaddr *)&at, &len);
	r->port = ntohs(at.sin_port);
	if (cert) {
		r->tls = SSL_CTX_new(TLS_server_method());
		assert_int_equal(SSL_CTX_use_certificate_chain_file(r->tls, cert), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(r->tls, key, SSL_FILETYPE_PEM), 1);
	}
	assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
	return r;
}

uint16_t receiver_port(const struct receiver *r)
{
	return r->port;
}

void receiver_answer(struct receiver *r, int status, const char *headers, const char *body)
{
	pthread_mutex_lock(&r->lock);
	r->status = status;
	snprintf(r->headers, sizeof(r->headers), "%s", headers ? headers : "");
	snprintf(r->body, sizeof(r->body), "%s", body ? body : "");
	pthread_mutex_unlock(&r->lock);
}

size_t receiver_count(struct receiver *r)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = r->n;
	pthread_mutex_unlock(&r->lock);
	return n;
}

struct receiver_post receiver_at(struct receiver *r, size_t i)
{
	struct receiver_post post;

	pthread_mutex_lock(&r->lock);
	assert_true(i < r->n);
	post = r->posts[i];
	pthread_mutex_unlock(&r->lock);
	return post;
}

static void free_texts(const struct receiver_post *p)
{
	free((char *)(uintptr_t)p->path);
	free((char *)(uintptr_t)p->id);
	free((char *)(uintptr_t)p->timestamp);
	free((char *)(uintptr_t)p->signature);
	free((char *)(uintptr_t)p->type);
	free((char *)(uintptr_t)p->body);
}

void receiver_stop(struct receiver *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	for (int i = 0; i < r->connection_n; i++)
		shutdown(r->connections[i]->fd, SHUT_RDWR);
	pthread_mutex_unlock(&r->lock);
	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
	for (int i = 0; i < r->connection_n; i++) {
		pthread_join(r->connections[i]->thread, NULL);
		SSL_free(r->connections[i]->ssl);
		close(r->connections[i]->fd);
		free(r->connections[i]);
	}
	for (size_t i = 0; i < r->n; i++)
		free_texts(&r->posts[i]);
	SSL_CTX_free(r->tls);
	pthread_mutex_destroy(&r->lock);
	free(r->posts);
	free(r);
}
