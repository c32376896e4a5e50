/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The talker of the tests.
 */
#include "daemon/tests/server/talker.h"

#include "daemon/tests/server/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Over UDP the server may still know a client that had the same port: none is used twice, and they
 * lie below those that the kernel deals out. */
#define FIRST_PORT 10000

void talker_open(struct talker *t, const char *server, bool stream, const char *local,
                 const char *user, const char *password)
{
	static uint16_t next_port = FIRST_PORT;
	struct addr to, from;
	bool v6;

	assert_int_equal(addr_parse(&to, server), 0);
	v6 = addr_family(&to) == AF_INET6;
	assert_int_equal(addr_parse_ip(&from, local ? local : v6 ? "::" : "0.0.0.0", 0), 0);
	addr_put_port(&from, stream ? 0 : next_port++);
	assert_int_equal(talker_connect(t, stream ? TALKER_TCP : TALKER_UDP, &to, &from), 0);
	t->wait_ms = TALKER_WAIT_MS;
	t->user = user;
	t->password = password;
}

int talker_login(struct talker *t)
{
	struct wire m;

	wire_start(&m, W_ALLOCATE, ++t->tid);
	wire_add_transport(&m, IPPROTO_UDP);
	return talker_say(t, &m);
}

void talker_enter(struct talker *t, const char *server, bool stream, const char *user,
                  const char *password)
{
	talker_open(t, server, stream, NULL, user, password);
	assert_int_equal(talker_login(t), 401);
	assert_int_equal(talker_allocate(t, IPPROTO_UDP), 0);
}

int talker_attempt(struct talker *t)
{
	int code = talker_allocate(t, IPPROTO_UDP);

	if (!code)
		assert_int_equal(talker_refresh(t, 0), 0);
	return code;
}

int talker_try(const char *server, const char *user, const char *password)
{
	struct talker t;
	int code;

	talker_open(&t, server, false, NULL, user, password);
	assert_int_equal(talker_login(&t), 401);
	code = talker_attempt(&t);
	talker_close(&t);
	return code;
}

static struct addr parse(const char *peer)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, peer), 0);
	return a;
}

int talker_permit_to(struct talker *t, const char *peer)
{
	struct addr a = parse(peer);

	return talker_permit(t, &a);
}

int talker_bind_to(struct talker *t, uint16_t number, const char *peer)
{
	struct addr a = parse(peer);

	return talker_bind(t, number, &a);
}

void talker_send_to(struct talker *t, const char *peer, const char *text)
{
	struct addr a = parse(peer);

	talker_relay(t, 0, &a, text, strlen(text));
}
