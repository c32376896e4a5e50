/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The HTTP interface over real sockets: what it answers, and what it does
 * with requests that are none. Certificates, too.
 */
#include "daemon/tests/web_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void test_readiness_and_metrics(void **state)
{
	struct fixture *f = *state;

	expect_status(f, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "{\"status\":\"ready\"}");
	f->busy = true;
	expect_status(f, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", 503,
	              "{\"status\":\"draining\"}");
	f->busy = false;
	expect_status(f, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 401, "unauthorized");
	expect_status(f, "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer bad\r\n\r\n",
	              401, "unauthorized");
	expect_status(f, "GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n",
	              200, "\nturnpike_up 1\n");
	expect_status(f, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405,
	              "Allow: GET, HEAD\r\n");
}

static void test_health_and_page(void **state)
{
	struct fixture *f = *state;
	char *response;

	expect_status(f, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "Content-Type: application/json\r\n");
	expect_status(f, "GET /healthz HTTP/1.0\r\n\r\n", 200, "{\"status\":\"ok\"}");
	expect_status(f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "Content-Type: text/html; charset=utf-8\r\n");
	expect_status(f, "GET /app.js HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "Content-Type: text/javascript");
	expect_status(f, "GET /turnpike.js HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "X-Content-Type-Options: nosniff\r\n");
	expect_status(f, "GET /signaling.js HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/javascript");
	expect_status(f, "GET /ice.js HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/javascript");
	expect_status(f, "GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/css");
	expect_status(f, "GET /icon.svg HTTP/1.1\r\nHost: x\r\n\r\n", 200, "image/svg+xml");
	expect_status(f, "GET /check HTTP/1.1\r\nHost: x\r\n\r\n", 200,
	              "Content-Type: text/html; charset=utf-8\r\n");
	expect_status(f, "GET /check.css HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/css");
	expect_status(f, "GET /check.js HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/javascript");
	expect_status(f, "GET /check-words.js HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/javascript");
	expect_status(f, "GET /probe.js HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/javascript");
	expect_status(f, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"code\":\"not-found\"");
	expect_status(f, "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL);
	/* Where nothing is administered there is no page for it. */
	expect_status(f, "GET /admin/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL);
	expect_status(f, "GET /ws HTTP/1.1\r\nHost: relay.example\r\n\r\n", 426,
	              "Upgrade: websocket\r\n");
	expect_status(f, "GET /ws HTTP/1.1\r\nHost: app.example\r\n\r\n", 426, NULL);
	expect_status(f, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 421, "public_host");

	response = get(f, true, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(strstr(response, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(response, "frame-ancestors 'none'"));
	assert_non_null(strstr(response, "require-trusted-types-for 'script'"));
	assert_non_null(strstr(response, "Cross-Origin-Resource-Policy: same-origin\r\n"));
	assert_non_null(strstr(response, "Referrer-Policy: no-referrer"));
	assert_null(strstr(response, "unsafe-inline"));
	assert_non_null(strstr(response, "</html>"));
	assert_null(strstr(response, "<script>"));
	assert_null(strstr(response, "style=\""));
	free(response);

	response = get(f, true, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(strstr(response, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(response, "Content-Length: "));
	assert_null(strstr(response, "Content-Length: 0"));
	assert_string_equal(strstr(response, "\r\n\r\n"), "\r\n\r\n");
	free(response);
}

static void test_turn_credentials(void **state)
{
	struct fixture *f = *state;

	expect_status(f,
	              "GET /turn?service=turn&username=al%26ice+x&key=k%3D1 HTTP/1.1\r\n"
	              "Host: turn.example:8443\r\n\r\n",
	              200,
	              "{\"username\":\"99:al&ice x\",\"password\":\"secret\",\"ttl\":3600,"
	              "\"uris\":[\"turn:turn.example:3478\"]}");
	assert_string_equal(f->api_token, "k=1");
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n", 200,
	              "Cache-Control: no-store\r\n");
	assert_string_equal(f->api_token, "(none)");
	assert_string_equal(f->host, "2001:db8::1");
	expect_status(
	    f,
	    "POST /turn HTTP/1.1\r\nHost: h\r\nAuthorization: bearer  tok\r\n"
	    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 41\r\n\r\n"
	    "service=turn&username=bob%40x&ttl=600&key=1",
	    200, "\"ttl\":600");
	assert_string_equal(f->api_token, "tok");
	assert_string_equal(f->name, "bob@x");
	expect_status(f, "POST /turn?username=c&api=a HTTP/1.1\r\nHost: h\r\n\r\n", 200, "99:c");
	assert_string_equal(f->api_token, "a");

	expect_status(f, "GET /turn?service=stun HTTP/1.1\r\nHost: h\r\n\r\n", 400, "bad-request");
	expect_status(f, "GET /turn?ttl=-1 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "bad-request");
	expect_status(f, "GET /turn?ttl=99999999999999999999 HTTP/1.1\r\nHost: h\r\n\r\n", 400,
	              NULL);
	expect_status(f, "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\nusername=%zz",
	              400, "bad-request");
	expect_status(f, "PUT /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 405,
	              "Allow: GET, HEAD, POST\r\n");
	expect_status(f, "OPTIONS /turn HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n\r\n", 405,
	              "Allow: GET, HEAD, POST\r\n");
	f->grant_err = -E_DENIED;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\n\r\n", 401, "WWW-Authenticate: Bearer");
	f->grant_err = -E_LIMIT;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\n\r\n", 429, "rate-limited");
	f->grant_err = -E_INVAL;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\n\r\n", 400, "bad-request");
	f->grant_err = -E_CORRUPT;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\n\r\n", 503, "stored data is damaged");
	f->grant_err = 0;
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: a\"b<c>\r\n\r\n", 400, "Host header");
	expect_status(f, "GET /healthz HTTP/1.1\r\nHost: a!b.example\r\n\r\n", 400, "Host header");
	expect_status(f, "GET /turn HTTP/1.1\r\n\r\n", 200, "turn:127.0.0.1:3478");
}

/* The first one that opens it gets a cookie, and is known by that. */
static void test_link(void **state)
{
	static const char cookie[] =
	    "turnpike-guest=ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
	struct fixture *f = *state;
	char request[400], *said;

	expect_status(f, "HEAD /link/abc HTTP/1.1\r\nHost: localhost\r\n\r\n", 204, NULL);
	expect_status(f, "GET /link/other HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, "link-used");
	expect_status(f, "GET /link/abc/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, NULL);
	expect_status(f, "POST /link/abc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
	              405, NULL);
	expect_status(
	    f, "GET /link/abc HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n",
	    403, "foreign-origin");
	said = get(f, false, "GET /link/abc HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_int_equal(strncmp(said, "HTTP/1.1 303 ", 13), 0);
	assert_non_null(strstr(said, "\r\nLocation: /\r\n"));
	assert_non_null(strstr(said, "\r\nCache-Control: no-store\r\n"));
	assert_non_null(strstr(said, cookie));
	assert_non_null(strstr(said, "; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict\r\n"));
	free(said);
	expect_status(f, "GET /link/abc HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, "link-used");
	snprintf(request, sizeof(request),
	         "GET /turn HTTP/1.1\r\nHost: localhost\r\nCookie: a=b; %s; c=d\r\n\r\n", cookie);
	expect_status(f, request, 200, NULL);
	assert_string_equal(f->guest, cookie + strlen("turnpike-guest="));
	expect_status(f, "GET /turn HTTP/1.1\r\nHost: h\r\nCookie: turnpike-guest=ff\r\n\r\n", 200,
	              NULL);
	assert_string_equal(f->guest, "");
	/* over TLS it has another name, which plain HTTP cannot set */
	f->entered = 0;
	said = get(f, true, "GET /link/abc HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_non_null(strstr(said, "\r\nSet-Cookie: __Host-turnpike-guest=fff"));
	assert_non_null(strstr(said, "; SameSite=Strict; Secure\r\n"));
	free(said);
}

/* Another site's page gets no credentials or operator's data, whatever it knows. */
static void test_foreign_pages(void **state)
{
	static const char *const paths[] = {
	    "GET /turn", "POST /api/v1/ice-servers", "GET /metrics",  "POST /api/v1/revoke",
	    "GET /whip", "GET /?service=turn",       "GET /peerjs/id"};
	static const char *const origins[] = {"http://evil.example", "null",
	                                      "https://relay.example:1", "http://h"};
	struct fixture *f = *state;
	char request[300];

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		for (size_t k = 0; k < sizeof(origins) / sizeof(*origins); k++) {
			snprintf(request, sizeof(request),
			         "%s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nAuthorization: Bearer "
			         "good\r\n\r\n",
			         paths[i], k == 3 ? "h" : "relay.example", origins[k]);
			expect_status(f, request, 403, "foreign-origin");
		}
	assert_int_equal(f->grants, 0);
	expect_status(f,
	              "GET /turn HTTP/1.1\r\nHost: relay.example\r\nOrigin: "
	              "https://app.example\r\n\r\n",
	              200, "Access-Control-Allow-Origin: https://app");
	assert_int_equal(f->caller.page, CALLER_PAGE_NAMED);
	expect_status(f, "GET / HTTP/1.1\r\nHost: h\r\nOrigin: http://evil.example\r\n\r\n", 200,
	              "text/html");
}

static void test_ice_servers_api(void **state)
{
	struct fixture *f = *state;

	expect_status(f,
	              "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n"
	              "Content-Length: 12\r\n\r\n{\"ttl\":86400",
	              400, "bad-json"); /* one byte is missing: the length lies */
	expect_status(f,
	              "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n"
	              "Content-Length: 13\r\n\r\n{\"ttl\":86400}",
	              201, "{\"iceServers\":[{\"urls\":[\"turn:h:3478\"]");
	assert_int_equal(f->ttl_s, 86400);
	assert_string_equal(f->api_token, "t");
	expect_status(f, "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n\r\n", 201, "no-store");
	assert_int_equal(f->ttl_s, 0);
	expect_status(f,
	              "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"
	              "{\"ttl\":0}",
	              400, "bad-request");
	expect_status(f,
	              "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"
	              "{\"ttl\":\"1\"}",
	              400, "bad-request");
	expect_status(
	    f, "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nnull", 400,
	    "bad-json");
	expect_status(f, "GET /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n\r\n", 405,
	              "Allow: POST\r\n");
	f->grant_err = -E_DENIED;
	expect_status(f, "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n\r\n", 401,
	              "unauthorized");
}

/* As PeerJS asks for it, from a page that cors_origin names. */
static void test_peerjs_id(void **state)
{
	static const char request[] =
	    "GET /peerjs/id?ts=17953262157850.123&version=1.5.5 HTTP/1.1\r\n"
	    "Host: relay.example\r\nOrigin: https://app.example\r\n\r\n";
	struct fixture *f = *state;
	char id[2][37];

	for (int i = 0; i < 2; i++) {
		char *answer = get(f, false, request), *body;
		unsigned digits = 0;

		assert_non_null(strstr(answer, "HTTP/1.1 200 "));
		assert_non_null(strstr(answer, "Access-Control-Allow-Origin: https://app.example"));
		assert_non_null(strstr(answer, "Cache-Control: no-store"));
		assert_non_null(strstr(answer, "Content-Type: text/plain"));
		body = strstr(answer, "\r\n\r\n") + 4;
		assert_int_equal(strlen(body), 36);
		for (int k = 0; k < 36; k++)
			digits += strchr("0123456789abcdef", body[k]) != NULL;
		assert_int_equal(digits, 32);
		assert_true(body[14] == '4' && strchr("89ab", body[19]));
		memcpy(id[i], body, 37);
		free(answer);
	}
	assert_string_not_equal(id[0], id[1]);
	expect_status(f, "GET /peerjs/id?x=1 HTTP/1.1\r\nHost: relay.example\r\n\r\n", 400,
	              "unknown-member");
	expect_status(f, "POST /peerjs/id HTTP/1.1\r\nHost: relay.example\r\n\r\n", 405,
	              "GET, HEAD");
}

static void test_lying_lengths(void **state)
{
	static const char *const lies[] = {"-1", "1x", "99999999999999999999999", "0x10", "1, 2"};
	struct fixture *f = *state;
	struct web_client *c;
	char text[200], *big;

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		snprintf(text, sizeof(text),
		         "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: %s\r\n\r\n", lies[i]);
		expect_status(f, text, 400, NULL);
	}
	expect_status(f,
	              "POST /turn HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	              "5\r\nhello\r\n0\r\n\r\n",
	              411, "length-required");
	/* more than is announced: the rest is not a second request */
	expect_status(f,
	              "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n&GET /healthz "
	              "HTTP/1.1\r\nHost: h\r\n\r\n",
	              200, "\"uris\"");
	/* too much: the client can read why, and then it is closed */
	big = calloc(1, 70000);
	snprintf(big, 200, "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n");
	memset(big + strlen(big), 'x', 60000);
	expect_status(f, big, 413, "too-big");
	free(big);
	c = client_open(f->base, f->port);
	client_send(c, "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 17000\r\n\r\n", 56);
	while (!strstr((char *)c->in, "too-big"))
		assert_true(client_more(c, CLIENT_WAIT_MS));
	assert_non_null(strstr((char *)c->in, "Cache-Control: no-store"));
	client_close(c); /* in the middle */
	still_serves(f);
}

static void test_unfinished_requests_time_out(void **state)
{
	static const char *const begun[] = {
	    "", "GET / HT", "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"};
	struct fixture *f = *state;
	struct web_conf conf;
	struct web_client *c[3];

	default_conf(f, &conf);
	conf.request_timeout_s = 1;
	restart(f, &conf);
	for (int i = 0; i < 3; i++) {
		c[i] = client_open(f->base, f->port);
		client_send(c[i], begun[i], strlen(begun[i]));
	}
	for (int i = 0; i < 3; i++) {
		while (client_more(c[i], 7000))
			;
		assert_true(c[i]->eof);
		client_close(c[i]);
	}
	still_serves(f);
}

static void test_garbage(void **state)
{
	static const char *const garbage[] = {
	    "\x16\x03\x01 not really TLS\r\n\r\n",
	    "FOO / HTTP/1.1\r\n\r\n",
	    "GET http://elsewhere/ HTTP/1.1\r\nHost: h\r\n\r\n",
	    "CONNECT example.com:443 HTTP/1.1\r\nHost: h\r\n\r\n",
	    "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
	    "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: :\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
	    "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n",
	    "POST / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
	    "Sec-WebSocket-Key: x\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
	    "Sec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: soap\r\n\r\n",
	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	    "\r\n\r\n\r\n\r\n",
	};
	struct fixture *f = *state;
	unsigned seed = 1;
	char noise[4096];

	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		for (int tls = 0; tls < 2; tls++) {
			struct web_client *c = client_open(f->base, tls ? f->tls_port : f->port);

			client_send(c, garbage[i], strlen(garbage[i]));
			while (client_more(c, 100))
				;
			client_close(c);
		}
	}
	for (int i = 0; i < 40; i++) {
		struct web_client *c = client_open(f->base, i & 1 ? f->tls_port : f->port);

		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = (char)rand_r(&seed);
		client_send(c, noise, sizeof(noise));
		client_more(c, 20);
		client_close(c);
	}
	/* a header without end */
	for (int i = 0; i < 2; i++) {
		struct web_client *c = client_open(f->base, f->port);

		client_send(c, "GET / HTTP/1.1\r\nHost: ", 22);
		memset(noise, 'a', sizeof(noise));
		for (int j = 0; j < 100 && client_send(c, noise, sizeof(noise)); j++)
			client_pump(f->base, 1);
		while (client_more(c, CLIENT_WAIT_MS))
			;
		assert_true(c->eof);
		client_close(c);
	}
	still_serves(f);
}

/* The names in it are ours: it is read again, and a broken file does no harm. */
static void test_certificate(void **state)
{
	static const struct web_ops ops = {.grant = on_grant};
	struct fixture *f = *state;
	struct web_conf conf;
	struct why why;
	struct web *w = NULL;
	FILE *file;

	make_cert(f->cert, f->key, "second");
	assert_int_equal(web_load_cert(f->web, f->cert, &why), 0);
	file = fopen(f->cert, "w");
	fputs("nonsense\n", file);
	fclose(file);
	assert_int_equal(web_load_cert(f->web, f->cert, &why), -E_INVAL);
	assert_non_null(strstr(why.text, f->cert));
	web_stop(f->web);
	f->web = NULL;
	web_conf_default(&conf);
	conf.cert_path = f->cert;
	assert_int_equal(web_start(f->base, &conf, &ops, f, &w, &why), -E_INVAL);
	assert_non_null(strstr(why.text, f->cert));
	assert_null(w);
	conf.cert_path = NULL;
	start(f, &conf);
	expect_status(f, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200, "ok");
}

/* A client that offers another protocol is answered in this one. */
static void test_offers(void **state)
{
	static const char h2c[] = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	                          "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n";
	struct fixture *f = *state;
	char text[512];

	snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\nHost: x\r\n%s\r\n", h2c);
	expect_status(f, text, 200, "{\"status\":\"ok\"}");
	snprintf(text, sizeof(text),
	         "POST /api/v1/ice-servers HTTP/1.1\r\nHost: h\r\n%sContent-Length: "
	         "11\r\n\r\n{\"ttl\":600}",
	         h2c);
	expect_status(f, text, 201, "\"ttl\":600");
}

/* A byte now and then holds no place. */
static void test_body_deadline(void **state)
{
	static const char head[] = "POST /turn HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n";
	struct fixture *f = *state;
	struct web_conf conf;
	struct web_client *c;
	bool more = true;

	default_conf(f, &conf);
	conf.request_timeout_s = 2;
	restart(f, &conf);
	c = client_open(f->base, f->port);
	client_send(c, head, strlen(head));
	for (int i = 0; i < 60 && !c->eof; i++) {
		more = client_send(c, "&", 1);
		client_more(c, 500);
	}
	assert_true(c->eof || !more);
	assert_non_null(strstr((char *)c->in, "HTTP/1.1 408 "));
	assert_non_null(strstr((char *)c->in, "{\"error\":{\"code\":\"timeout\""));
	client_close(c);
	still_serves(f);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_readiness_and_metrics),
	    T(test_health_and_page),
	    T(test_turn_credentials),
	    T(test_link),
	    T(test_foreign_pages),
	    T(test_ice_servers_api),
	    T(test_peerjs_id),
	    T(test_lying_lengths),
	    T(test_unfinished_requests_time_out),
	    T(test_garbage),
	    T(test_certificate),
	    T(test_offers),
	    T(test_body_deadline),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
