/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time-limited credentials against known answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "store/credential.h"

#include <string.h>

/* printf %s USERNAME | openssl dgst -sha1 -hmac SECRET -binary | base64 */
static void test_known_answers(void **state)
{
	static const struct {
		const char *secret, *name;
		int64_t expires;
		const char *username, *password;
	} cases[] = {
	    {"north", "alice", 1795326215, "1795326215:alice", "YjW4Yl3+HOKcAkzyBKTw7yCA6rE="},
	    {"north", "", 1795326215, "1795326215", "e7C0m4s6dGHJZeGipiIxzjq9WqQ="},
	    {"s", "a:b c", 1, "1:a:b c", "eQrEwI4IUegAc/u5W/cnkE16gfY="},
	    {"0123456789012345678901234567890123456789012345678901234567890123456789", "bob",
	     4102444800, "4102444800:bob", "lOVW9l7jdkH3pIlEvA7jEbUoesM="},
	};
	struct credential c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(credential_make(cases[i].secret, strlen(cases[i].secret),
		                                 cases[i].name, cases[i].expires, &c),
		                 0);
		assert_string_equal(c.username, cases[i].username);
		assert_string_equal(c.password, cases[i].password);
		assert_int_equal(c.expires_at_s, cases[i].expires);
	}
}

/* RFC 2202 section 3, test cases 1, 2 and 3: keys and texts of any bytes. */
static void test_rfc2202(void **state)
{
	char key[20], text[50], out[32];

	(void)state;
	memset(key, 0x0b, sizeof(key));
	credential_password(key, 20, "Hi There", 8, out);
	assert_string_equal(out, "thcxhlUFcmTii8C2+zeMjvFGvgA=");
	credential_password("Jefe", 4, "what do ya want for nothing?", 28, out);
	assert_string_equal(out, "7/zfauXrL6LSdBbV8YTfnCWafHk=");
	memset(key, 0xaa, sizeof(key));
	memset(text, 0xdd, sizeof(text));
	credential_password(key, 20, text, 50, out);
	assert_string_equal(out, "El1zQrmsEc2Ro5r0iqF7T2PxddM=");
	credential_password(NULL, 0, "", 0, out);
	assert_string_equal(out, "+9sdGxiqbAgyS31ktx+3Y3BpDh0=");
}

static void test_name_length(void **state)
{
	char name[CREDENTIAL_NAME_MAX + 2];
	struct credential c = {.expires_at_s = 42};

	(void)state;
	memset(name, 'x', sizeof(name));
	name[CREDENTIAL_NAME_MAX + 1] = 0;
	assert_int_equal(credential_make("s", 1, name, 1, &c), -E_INVAL);
	assert_int_equal(c.expires_at_s, 42);
	name[CREDENTIAL_NAME_MAX] = 0;
	assert_int_equal(credential_make("s", 1, name, INT64_MAX, &c), 0);
	assert_int_equal(strlen(c.username), 19 + 1 + CREDENTIAL_NAME_MAX);
	assert_int_equal(credential_make("s", 1, "a", -1, &c), -E_INVAL);
}

/* Only credential_make_locked() writes a mark, so that no name can be taken for one. */
static void test_locked(void **state)
{
	struct credential c;
	char name[CREDENTIAL_NAME_MAX + 1];

	(void)state;
	assert_int_equal(credential_make_locked("north", 5, "alice", 0x2a, 1795326215, &c), 0);
	assert_string_equal(c.username, "1795326215:lock=000000000000002a:alice");
	assert_string_equal(c.password, "u7z7SmVUGFnBS0d495QlSJWxeZw=");
	assert_int_equal(credential_make_locked("north", 5, "", UINT64_MAX, 1, &c), 0);
	assert_string_equal(c.username, "1:lock=ffffffffffffffff:");
	assert_int_equal(credential_make("north", 5, "lock=000000000000002a:alice", 1, &c),
	                 -E_INVAL);
	assert_int_equal(credential_make("north", 5, "lock=000000000000002a", 1, &c), 0);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(credential_make_locked("s", 1, name, 7, INT64_MAX, &c), 0);
	assert_int_equal(strlen(c.username), USERNAME_EXTRA + CREDENTIAL_NAME_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_answers),
	    cmocka_unit_test(test_rfc2202),
	    cmocka_unit_test(test_name_length),
	    cmocka_unit_test(test_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
