/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the tests of the web side: a running server, its clients, and their expectations.
 */
#ifndef DAEMON_TESTS_WEB_FIXTURE_H
#define DAEMON_TESTS_WEB_FIXTURE_H

#include "base/log.h"
#include "daemon/tests/web_client.h"
#include "daemon/web/web.h"

struct fixture {
	struct event_base *base;
	struct web *web;
	struct event *accept_plain;
	struct event *accept_tls;
	int listen_plain;
	int listen_tls;
	uint16_t port;
	uint16_t tls_port;
	char dir[64];
	char cert[96];
	char key[96];
	/* what the last grant was asked for, and what it gives */
	struct caller caller;
	char api_token[64];
	char guest[CALLER_GUEST_STRLEN];
	char name[128];
	char host[256];
	int64_t ttl_s;
	int grant_err;
	bool any_page; /* every origin may ask */
	bool busy;     /* not ready */
	unsigned grants, entered;
};

/* For cmocka: *state is a struct fixture with a server in it. */
int setup(void **state);
int teardown(void **state);

/* The double behind the server's op. */
int on_grant(void *ctx, const struct caller *caller, const char *name, int64_t ttl_s,
             struct ice_grant *out);

void default_conf(const struct fixture *f, struct web_conf *conf);
void start(struct fixture *f, const struct web_conf *conf);
void restart(struct fixture *f, const struct web_conf *conf);

/* Self-signed, PEM. */
void make_cert(const char *cert_path, const char *key_path, const char *cn);

/* The next frame is a text that begins so, or a close frame. */
void expect_text(struct web_client *c, const char *prefix);
void expect_close(struct web_client *c, unsigned code);

/* A WebSocket that has got its id; one that has got its name, too. */
struct web_client *open_ws(struct fixture *f, bool tls);
struct web_client *sign_in(struct fixture *f, const char *name, bool tls);

/* One request on a connection of its own. get() returns the response (to be freed). */
char *get(struct fixture *f, bool tls, const char *request);
void expect_status(struct fixture *f, const char *request, int status, const char *part);

/* After every attack: it answers, and two clients hear each other. */
void still_serves(struct fixture *f);

#endif
