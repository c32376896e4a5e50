/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A web side on listeners of its own, for the tests of WebSockets and HTTP.
 */
#include "daemon/tests/web_fixture.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Doubles: the real ones make credentials, which is not our subject. */
json_t *ice_grant_servers(const struct ice_grant *g)
{
	return json_pack("[{s:[s],s:s,s:s}]", "urls", g->uri[0], "username", g->credential.username,
	                 "credential", g->credential.password);
}

json_t *ice_grant_rest(const struct ice_grant *g)
{
	return json_pack("{s:s,s:s,s:I,s:[s]}", "username", g->credential.username, "password",
	                 g->credential.password, "ttl", (json_int_t)g->ttl_s, "uris", g->uri[0]);
}

int on_grant(void *ctx, const struct caller *caller, const char *name, int64_t ttl_s,
             struct ice_grant *out)
{
	struct fixture *f = ctx;

	f->grants++;
	f->caller = *caller;
	snprintf(f->api_token, sizeof(f->api_token), "%s",
	         caller->api_token ? caller->api_token : "(none)");
	snprintf(f->guest, sizeof(f->guest), "%s", caller->guest);
	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->host, sizeof(f->host), "%s", caller->host);
	f->ttl_s = ttl_s;
	if (f->grant_err)
		return f->grant_err;
	memset(out, 0, sizeof(*out));
	snprintf(out->credential.username, sizeof(out->credential.username), "99:%.64s", name);
	snprintf(out->credential.password, sizeof(out->credential.password), "secret");
	out->ttl_s = ttl_s ? ttl_s : 3600;
	out->strict = true;
	out->uri_n = 1;
	snprintf(out->uri[0], sizeof(out->uri[0]), "turn:%s:3478", caller->host);
	return 0;
}

static bool is_ready(void *ctx)
{
	return !((struct fixture *)ctx)->busy;
}

static int on_metrics(void *ctx, const struct caller *caller, char **text)
{
	(void)ctx;
	if (!caller->api_token || strcmp(caller->api_token, "good") != 0)
		return -E_DENIED;
	*text = strdup("# TYPE turnpike_up gauge\nturnpike_up 1\n");
	return 0;
}

static bool on_owns(void *ctx, const char *host)
{
	(void)ctx;
	return host_equal(host, "relay.example");
}

static enum caller_cors on_cors(void *ctx, const char *origin)
{
	const struct fixture *f = ctx;

	if (!strcmp(origin, "https://app.example"))
		return CALLER_CORS_NAMED;
	return f->any_page ? CALLER_CORS_ANY : CALLER_CORS_NO;
}

static int on_enter(void *ctx, const char *token, char secret[CALLER_GUEST_STRLEN])
{
	struct fixture *f = ctx;

	if (strcmp(token, "abc") != 0 || f->entered++)
		return -E_DENIED;
	memset(secret, 'f', CALLER_GUEST_STRLEN - 1);
	secret[CALLER_GUEST_STRLEN - 1] = 0;
	return 0;
}

/* https: as a worker hands it over that has taken the TLS off. */
static void adopt(struct fixture *f, int fd, bool https)
{
	struct web_visit *visit = calloc(1, sizeof(*visit));
	struct arrival *a = &visit->arrival;
	socklen_t len = sizeof(a->client);

	*a = (struct arrival){.fd = fd, .https = https};
	assert_int_equal(getpeername(fd, &a->client.sa, &len), 0);
	len = sizeof(a->local);
	assert_int_equal(getsockname(fd, &a->local.sa, &len), 0);
	visit->gone = free;
	visit->ctx = visit;
	web_adopt(f->web, visit);
}

static void on_accept(evutil_socket_t fd, short what, void *ctx)
{
	struct fixture *f = ctx;
	int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (conn >= 0 && fd == f->listen_tls)
		adopt(f, conn, true);
	else if (conn >= 0)
		adopt(f, conn, false);
}

static int listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

void make_cert(const char *cert_path, const char *key_path, const char *cn)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	FILE *file;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_sign(x, key, EVP_sha256());
	file = fopen(cert_path, "w");
	PEM_write_X509(file, x);
	fclose(file);
	file = fopen(key_path, "w");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_free(x);
	EVP_PKEY_free(key);
}

void start(struct fixture *f, const struct web_conf *conf)
{
	static const struct web_ops ops = {.grant = on_grant,
	                                   .ready = is_ready,
	                                   .metrics = on_metrics,
	                                   .owns = on_owns,
	                                   .cors = on_cors,
	                                   .enter = on_enter};
	struct why why = {""};

	if (web_start(f->base, conf, &ops, f, &f->web, &why))
		fail_msg("web_start: %s", why.text);
}

void default_conf(const struct fixture *f, struct web_conf *conf)
{
	web_conf_default(conf);
	conf->cert_path = f->cert;
}

int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct web_conf conf;

	strcpy(f->dir, "/tmp/turnpike-test-web-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->dir);
	snprintf(f->key, sizeof(f->key), "%s/key.pem", f->dir);
	make_cert(f->cert, f->key, "first.example");
	f->base = event_base_new();
	f->listen_plain = listen_on_loopback(&f->port);
	f->listen_tls = listen_on_loopback(&f->tls_port);
	f->accept_plain = event_new(f->base, f->listen_plain, EV_READ | EV_PERSIST, on_accept, f);
	f->accept_tls = event_new(f->base, f->listen_tls, EV_READ | EV_PERSIST, on_accept, f);
	event_add(f->accept_plain, NULL);
	event_add(f->accept_tls, NULL);
	default_conf(f, &conf);
	start(f, &conf);
	*state = f;
	return 0;
}

int teardown(void **state)
{
	struct fixture *f = *state;

	web_stop(f->web);
	event_free(f->accept_plain);
	event_free(f->accept_tls);
	event_base_free(f->base);
	close(f->listen_plain);
	close(f->listen_tls);
	unlink(f->cert);
	unlink(f->key);
	rmdir(f->dir);
	free(f);
	return 0;
}

void restart(struct fixture *f, const struct web_conf *conf)
{
	web_stop(f->web);
	f->web = NULL;
	start(f, conf);
}

void expect_text(struct web_client *c, const char *prefix)
{
	struct ws_frame f = {0};

	if (!ws_recv(c, &f))
		fail_msg("nothing came, expected %s", prefix);
	assert_int_equal(f.opcode, WS_TEXT);
	if (strncmp(f.data, prefix, strlen(prefix)) != 0)
		fail_msg("got %s, expected %s", f.data, prefix);
	free(f.data);
}

void expect_close(struct web_client *c, unsigned code)
{
	struct ws_frame f = {0};

	if (!ws_recv(c, &f))
		fail_msg("no close frame, expected %u", code);
	assert_int_equal(f.opcode, WS_CLOSE);
	assert_true(f.len >= 2);
	assert_int_equal((uint8_t)f.data[0] << 8 | (uint8_t)f.data[1], code);
	free(f.data);
}

struct web_client *open_ws(struct fixture *f, bool tls)
{
	struct web_client *c = client_open(f->base, tls ? f->tls_port : f->port);
	char *head = ws_upgrade(c, "/", "Sec-WebSocket-Protocol: json\r\n");

	if (strncmp(head, "HTTP/1.1 101 ", 13) != 0)
		fail_msg("no upgrade: %s", head);
	free(head);
	expect_text(c, "{\"type\":\"id\",\"id\":");
	return c;
}

struct web_client *sign_in(struct fixture *f, const char *name, bool tls)
{
	struct web_client *c = open_ws(f, tls);
	char text[200];

	snprintf(text, sizeof(text), "{\"name\":\"%s\",\"type\":\"username\"}", name);
	ws_say(c, text);
	expect_text(c, "{\"type\":\"userlist\",");
	return c;
}

char *get(struct fixture *f, bool tls, const char *request)
{
	struct web_client *c = client_open(f->base, tls ? f->tls_port : f->port);
	char *response = client_talk(c, request);

	client_close(c);
	return response;
}

void expect_status(struct fixture *f, const char *request, int status, const char *part)
{
	char *response = get(f, false, request), line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	if (strncmp(response, line, strlen(line)) != 0 || (part && !strstr(response, part)))
		fail_msg("asked %s\nwanted %d with %s, got %s", request, status,
		         part ? part : "anything", response);
	free(response);
}

/* After every attack: it still serves, and both ends of a call hear each other. */
void still_serves(struct fixture *f)
{
	struct web_client *a, *b;

	expect_status(f, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "{\"status\":\"ok\"}");
	a = sign_in(f, "still-a", false);
	b = sign_in(f, "still-b", true);
	ws_say(b, "{\"type\":\"wave\",\"target\":\"still-a\"}");
	expect_text(a, "{\"type\":\"userlist\"");
	expect_text(a, "{\"type\":\"wave\",\"target\":\"still-a\",\"name\":\"still-b\"}");
	client_close(a);
	client_close(b);
	client_pump(f->base, 30);
}
