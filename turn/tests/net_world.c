/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The real sockets of the tests.
 */
#include "turn/tests/net_world.h"

#include "base/env_libevent.h"
#include "base/error.h"
#include "base/log.h"
#include "base/tests/test.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#define READ_MS 5000

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t heap_bytes(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
	                                               : mallinfo2().uordblks;
}

static int keys(void *ctx, const struct turn_auth_query *q, struct turn_auth_answer *out)
{
	(void)ctx;
	if (q->username_len != 5 || memcmp(q->username, "alice", 5) != 0)
		return -E_NOTFOUND;
	out->key_n = 1;
	out->key[0].len = 16;
	wire_key("alice", REALM, "secret", out->key[0].bytes);
	out->username = q->username;
	out->username_len = q->username_len;
	out->quota_user = q->username;
	out->quota_user_len = q->username_len;
	return 0;
}

static const struct turn_auth_ops auth = {.keys = keys, .alive = turn_auth_keys_stay};

static void on_http(void *ctx, int fd, const struct net_client *from)
{
	struct srv *s = ctx;

	s->http_fd = fd;
	s->http_client = from->client;
}

static const struct net_ops ops = {.http = on_http};

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
                      void *arg)
{
	struct srv *s = arg;
	struct net_client c = {
	    .fd = fd, .tls = l == s->accept[1], .relay4 = 0, .relay6 = TURN_NO_RELAY};
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* as the greeter does */
	memcpy(&c.client, sa, (size_t)len);
	c.local = s->tcp[c.tls];
	if (net_sources_take(s->net_conf.sources, &c.client, &c.source))
		close(fd);
	else
		net_accept(s->net, &c);
}

static void on_call(evutil_socket_t fd, short what, void *arg)
{
	struct srv *s = arg;
	eventfd_t n;

	(void)what;
	eventfd_read(fd, &n);
	pthread_mutex_lock(&s->lock);
	if (s->call)
		s->call(s, s->call_arg);
	s->call = NULL;
	pthread_cond_signal(&s->done);
	pthread_mutex_unlock(&s->lock);
}

void srv_do(struct srv *s, void (*fn)(struct srv *s, void *arg), void *arg)
{
	pthread_mutex_lock(&s->lock);
	s->call = fn;
	s->call_arg = arg;
	eventfd_write(s->call_fd, 1);
	while (s->call)
		pthread_cond_wait(&s->done, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void do_nothing(struct srv *s, void *arg)
{
	(void)s;
	(void)arg;
}

/* Twice: the first turn of the loop may have begun before the bytes were there. */
void srv_sync(struct srv *s)
{
	srv_do(s, do_nothing, NULL);
	srv_do(s, do_nothing, NULL);
}

static void do_stats(struct srv *s, void *arg)
{
	*(struct turn_stats *)arg = *turn_get_stats(s->turn);
}

struct turn_stats srv_stats(struct srv *s)
{
	struct turn_stats stats;

	srv_do(s, do_stats, &stats);
	return stats;
}

static void do_counts(struct srv *s, void *arg)
{
	size_t *n = arg;

	n[0] = turn_allocations(s->turn);
	n[1] = net_streams(s->net);
	n[2] = net_dtls_sessions(s->net);
}

static size_t count(struct srv *s, int i)
{
	size_t n[3];

	srv_sync(s);
	srv_do(s, do_counts, n);
	return n[i];
}

size_t srv_allocations(struct srv *s)
{
	return count(s, 0);
}

size_t srv_streams(struct srv *s)
{
	return count(s, 1);
}

size_t srv_dtls_sessions(struct srv *s)
{
	return count(s, 2);
}

struct http {
	int fd;
	struct addr client;
};

static void do_http(struct srv *s, void *arg)
{
	*(struct http *)arg = (struct http){.fd = s->http_fd, .client = s->http_client};
}

static bool given(struct srv *s, struct http *h)
{
	srv_do(s, do_http, h);
	return h->fd >= 0;
}

int srv_http(struct srv *s, struct addr *client)
{
	struct http h = {.fd = -1};

	SOON(given(s, &h));
	*client = h.client;
	return h.fd;
}

void srv_make_cert(struct srv *s, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	FILE *f;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	                           (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_sign(x, key, EVP_sha256());
	f = fopen(s->cert, "w");
	PEM_write_X509(f, x);
	fclose(f);
	f = fopen(s->key, "w");
	PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	X509_free(x);
	EVP_PKEY_free(key);
}

int open_loopback(int type, struct addr *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = 5};

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	memset(at, 0, sizeof(*at));
	assert_int_equal(addr_parse(at, "127.0.0.1:0"), 0);
	assert_int_equal(bind(fd, &at->sa, addr_len(at)), 0);
	assert_int_equal(getsockname(fd, &at->sa, &len), 0);
	return fd;
}

void srv_init(struct srv *s)
{
	struct prefix loopback;

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_LEVEL_ERROR);
	memset(s, 0, sizeof(*s));
	s->http_fd = -1;
	snprintf(s->dir, sizeof(s->dir), "/tmp/turnpike-net-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->cert, sizeof(s->cert), "%s/cert.pem", s->dir);
	snprintf(s->key, sizeof(s->key), "%s/key.pem", s->dir);
	srv_make_cert(s, "one");
	s->policy = peer_policy_new();
	assert_int_equal(prefix_parse(&loopback, "127.0.0.0/8"), 0);
	assert_int_equal(peer_policy_allow(s->policy, &loopback), 0);
	s->ports = turn_ports_new(20000, 30000);
	s->conf = (struct turn_conf){.realm = {REALM},
	                             .realm_n = 1,
	                             .policy = s->policy,
	                             .quota = turn_quota_new(0, 0),
	                             .relay_n = 1,
	                             .default_lifetime_s = 600,
	                             .max_lifetime_s = 3600,
	                             .nonce_lifetime_s = 1000,
	                             .permissions_max = 8,
	                             .channels_max = 8,
	                             .peer_connections = 8};
	assert_int_equal(addr_parse_ip(&s->conf.relay[0].local, "127.0.0.1", 0), 0);
	s->conf.relay[0].external = s->conf.relay[0].local;
	s->conf.relay[0].ports = s->ports;
	s->net_conf = (struct net_conf){.first_message_timeout_ms = 10000,
	                                .idle_timeout_ms = 10000,
	                                .client_backlog = 65536,
	                                .max_dtls_sessions = 100};
	s->net_conf.sources = net_sources_new(0, 0);
}

static void *run(void *arg)
{
	struct srv *s = arg;

	while (!s->stop) {
		event_base_loop(s->base, EVLOOP_ONCE);
		env_libevent_flush(s->env);
	}
	return NULL;
}

static void listen_tcp(struct srv *s, int i)
{
	int fd = open_loopback(SOCK_STREAM | SOCK_NONBLOCK, &s->tcp[i]);

	assert_int_equal(listen(fd, 100), 0);
	s->accept[i] = evconnlistener_new(s->base, on_accept, s,
	                                  LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	assert_non_null(s->accept[i]);
}

void srv_start(struct srv *s)
{
	struct turn_listener_conf l = {.relay4 = 0, .relay6 = TURN_NO_RELAY};

	s->base = event_base_new();
	s->env = env_libevent_new(s->base, NULL);
	s->turn = turn_new(s->env, &s->conf, &auth, s);
	s->net = net_new(s->env, s->turn, &s->net_conf, &ops, s);
	assert_non_null(s->net);
	assert_int_equal(net_tls_load(s->cert, s->key, &s->tls, NULL), 0);
	net_set_tls(s->net, s->tls);
	l.fd = open_loopback(SOCK_DGRAM | SOCK_NONBLOCK, &s->udp);
	l.local = s->udp;
	assert_int_equal(turn_listen(s->turn, &l), 0);
	listen_tcp(s, 0);
	listen_tcp(s, 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->done, NULL);
	s->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->call_event = event_new(s->base, s->call_fd, EV_READ | EV_PERSIST, on_call, s);
	event_add(s->call_event, NULL);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

static void do_stop(struct srv *s, void *arg)
{
	(void)arg;
	s->stop = true;
}

void srv_stop(struct srv *s)
{
	srv_do(s, do_stop, NULL);
	pthread_join(s->thread, NULL);
	evconnlistener_free(s->accept[0]);
	evconnlistener_free(s->accept[1]);
	event_free(s->call_event);
	close(s->call_fd);
	net_free(s->net);
	turn_free(s->turn);
	net_tls_unref(s->tls);
	assert_int_equal(net_sources_total(s->net_conf.sources), 0);
	assert_int_equal(turn_ports_leased(s->ports), 0);
	net_sources_free(s->net_conf.sources);
	env_libevent_free(s->env);
	event_base_free(s->base);
	turn_quota_free(s->conf.quota);
	turn_ports_free(s->ports);
	peer_policy_free(s->policy);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->done);
	unlink(s->cert);
	unlink(s->key);
	rmdir(s->dir);
}

void client_open(struct srv *s, struct talker *c, int tcp)
{
	static const struct timeval limit = {.tv_sec = READ_MS / 1000};

	assert_int_equal(talker_connect(c, tcp ? TALKER_TLS : TALKER_TCP, &s->tcp[tcp], NULL), 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	c->wait_ms = READ_MS;
	c->user = "alice";
	c->password = "secret";
}

void client_send(struct talker *c, const void *data, size_t len)
{
	assert_int_equal(talker_send(c, data, len), 0);
}

bool client_read(struct talker *c)
{
	return !talker_receive(c, READ_MS);
}

int client_ask(struct talker *c, struct wire *m)
{
	int code = talker_ask(c, m);

	assert_true(code >= 0);
	assert_true(wire_sound(c->in.buf, c->in.len));
	return code;
}

bool client_binding_works(struct talker *c)
{
	struct addr seen, own = {.in6 = {0}};
	socklen_t len = sizeof(own);

	getsockname(c->fd, &own.sa, &len);
	return !talker_binding(c, &seen) && wire_sound(c->in.buf, c->in.len) &&
	       addr_equal(&own, &seen);
}
