/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Usernames of time-limited credentials, with and without the mark of a lock.
 */
#include "base/error.h"
#include "base/tests/test.h"
#include "base/username.h"

static void parses(void **state)
{
	static const struct {
		const char *username;
		int err;
		int64_t expires;
		const char *name;
	} cases[] = {
	    {"1795326215:alice", 0, 1795326215, "alice"},
	    {"1795326215", 0, 1795326215, ""},
	    {"1795326215:", 0, 1795326215, ""},
	    {"1:a:b", 0, 1, "a:b"},
	    {"9223372036854775807:x", 0, INT64_MAX, "x"},
	    {"9223372036854775808:x", -E_PARSE, 0, NULL},
	    {"99999999999999999999999999", -E_PARSE, 0, NULL},
	    {"", -E_PARSE, 0, NULL},
	    {":alice", -E_PARSE, 0, NULL},
	    {"alice", -E_PARSE, 0, NULL},
	    {"12ab", -E_PARSE, 0, NULL},
	    {"-5:alice", -E_PARSE, 0, NULL},
	    {" 5:alice", -E_PARSE, 0, NULL},
	    {"alice:1795326215", -E_PARSE, 0, NULL},
	    {"05:alice", -E_PARSE, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct username u = {.expires_at_s = -1};
		int err = username_parse(cases[i].username, strlen(cases[i].username), &u);

		assert_int_equal(err, cases[i].err);
		if (err) {
			assert_int_equal(u.expires_at_s, -1);
			continue;
		}
		assert_int_equal(u.expires_at_s, cases[i].expires);
		assert_false(u.locked);
		assert_string_equal(u.name, cases[i].name);
		assert_int_equal(u.name_len, strlen(cases[i].name));
	}
}

/* Not NUL-terminated, as on the wire. */
static void stops_at_len(void **state)
{
	const char bytes[] = {'1', '2', ':', 'a', 'b', 'c'};
	const char marked[] = "12:lock=00000000000000ff:a";
	struct username u;

	(void)state;
	assert_int_equal(username_parse(bytes, 2, &u), 0);
	assert_int_equal(u.expires_at_s, 12);
	assert_ptr_equal(u.name, bytes + 2);
	assert_int_equal(username_parse(bytes, 6, &u), 0);
	assert_ptr_equal(u.name, bytes + 3);
	assert_int_equal(u.name_len, 3);
	assert_int_equal(username_parse(marked, sizeof(marked) - 3, &u), 0);
	assert_false(u.locked);
	assert_int_equal(username_parse(marked, sizeof(marked) - 2, &u), 0);
	assert_true(u.locked);
	assert_int_equal(u.name_len, 0);
}

static void marks(void **state)
{
	static const struct {
		const char *username;
		bool locked;
		uint64_t lock;
		const char *name;
	} cases[] = {
	    {"7:lock=000000000000002a:alice", true, 0x2a, "alice"},
	    {"7:lock=ffffffffffffffff:", true, UINT64_MAX, ""},
	    /* the name of somebody who would like another's lock */
	    {"7:lock=0000000000000001:lock=0000000000000002:eve", true, 1,
	     "lock=0000000000000002:eve"},
	    {"7:lock=000000000000002A:alice", false, 0, "lock=000000000000002A:alice"},
	    {"7:lock=2a:alice", false, 0, "lock=2a:alice"},
	    {"7:lock=000000000000002ab:alice", false, 0, "lock=000000000000002ab:alice"},
	    {"7:lock=00000000000000 a:alice", false, 0, "lock=00000000000000 a:alice"},
	    {"7:Lock=000000000000002a:alice", false, 0, "Lock=000000000000002a:alice"},
	    {"7:alice:lock=000000000000002a:", false, 0, "alice:lock=000000000000002a:"},
	};
	char text[USERNAME_MARK_LEN + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct username u;

		assert_int_equal(username_parse(cases[i].username, strlen(cases[i].username), &u),
		                 0);
		assert_int_equal(u.locked, cases[i].locked);
		assert_string_equal(u.name, cases[i].name);
		if (!u.locked)
			continue;
		assert_true(u.lock == cases[i].lock);
		username_mark(text, u.lock);
		assert_memory_equal(text, cases[i].username + 2, USERNAME_MARK_LEN);
		assert_true(username_is_marked(text, strlen(text)));
	}
	assert_false(username_is_marked("lock=000000000000002a", 21));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses),
	    cmocka_unit_test(stops_at_len),
	    cmocka_unit_test(marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
