/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Errors, buffers and the log.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void errors_have_words(void **state)
{
	(void)state;
	for (int i = 0; i < E_COUNT; i++) {
		assert_non_null(error_text(i));
		assert_ptr_equal(error_text(i), error_text(-i));
	}
	assert_string_equal(error_text(-12345), "unknown error");
}

static void buffers_never_overflow(void **state)
{
	uint8_t mem[9] = {0};
	struct buf b;

	(void)state;
	mem[8] = 0x5a;
	buf_init(&b, mem, 8);
	assert_int_equal(buf_add(&b, "12345", 5), 0);
	assert_int_equal(buf_add(&b, "6789", 4), -E_ROOM);
	assert_int_equal(b.len, 5);
	assert_int_equal(buf_printf(&b, "%d", 678), -E_ROOM); /* no room for the NUL */
	assert_int_equal(buf_printf(&b, "%d", 67), 0);
	assert_memory_equal(mem, "1234567", 8);
	assert_int_equal(mem[8], 0x5a);
}

/* Text from the network must not be able to forge a field or a line. */
static void log_quotes(void **state)
{
	char line[4096];
	struct addr a;
	ssize_t n;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(addr_parse(&a, "192.0.2.1:7"), 0);
	log_set_fd(fds[1]);
	log_info("id 1", "test", LOG_STR("user", "a\" level=error\n%n%s"), LOG_INT("n", -5),
	         LOG_ADDR("client", &a), LOG_STR("empty", ""), LOG_STR("none", NULL));
	log_debug(NULL, "hidden");
	log_set_fd(STDOUT_FILENO);
	n = read(fds[0], line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = 0;
	assert_non_null(strstr(line, " level=info id=\"id 1\" event=test "
	                             "user=\"a\\\" level=error\\x0a%n%s\" n=-5 "
	                             "client=192.0.2.1:7 empty=\"\" none=\"\"\n"));
	assert_null(strstr(line, "hidden"));
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	close(fds[0]);
	close(fds[1]);
}

/* The journal is told by its device and inode; where lines go elsewhere, they stay as they are. */
static void log_tells_the_journal(void **state)
{
	static const struct {
		enum log_level level;
		const char *begin;
	} t[] = {
	    {LOG_LEVEL_ERROR, "<3>ts="}, {LOG_LEVEL_WARN, "<4>ts="}, {LOG_LEVEL_INFO, "<6>ts="}};
	char line[512], stream[64];
	struct stat st;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(fstat(pair[1], &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_set_fd(pair[1]);
	log_tell_journal();
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		log_at(t[i].level, NULL, "test");
		assert_true(read(pair[0], line, sizeof(line)) > 0);
		assert_memory_equal(line, t[i].begin, strlen(t[i].begin));
	}
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	         (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	log_tell_journal();
	log_info(NULL, "test");
	assert_true(read(pair[0], line, sizeof(line)) > 0);
	assert_memory_equal(line, "ts=", 3);
	setenv("JOURNAL_STREAM", "nonsense", 1);
	assert_false(log_is_journal(pair[1]));
	unsetenv("JOURNAL_STREAM");
	assert_false(log_is_journal(pair[1]));
	log_set_fd(STDOUT_FILENO);
	log_tell_journal();
	close(pair[0]);
	close(pair[1]);
}

/* Nobody reads: who logs goes on, and what is lost is counted, and said once somebody does. */
static void log_waits_for_nobody(void **state)
{
	const unsigned lines = 20000;
	unsigned read = 0, lost = 0, some;
	char line[4096], *report;
	int fds[2];
	FILE *f;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_set_fd(fds[1]);
	assert_int_equal(log_start(), 0);
	for (unsigned i = 0; i < lines; i++)
		log_info("t0-1", "test",
		         LOG_STR("text", "a line as long as those of sessions that begin and end"));
	assert_true(log_lost() > 0 && log_lost() < lines);
	log_stop(); /* comes back, too */
	f = fdopen(fds[0], "r");
	assert_non_null(f);
	while (read + lost < lines && fgets(line, sizeof(line), f)) {
		report = strstr(line, "level=warn event=log-lines-lost lines=");
		if (!report)
			read++;
		else if (sscanf(strstr(report, "lines="), "lines=%u", &some) == 1)
			lost += some;
	}
	assert_int_equal(read + lost, lines);
	assert_int_equal(lost, log_lost());
	fclose(f);
	log_set_fd(STDOUT_FILENO);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_have_words),    cmocka_unit_test(buffers_never_overflow),
	    cmocka_unit_test(log_quotes),           cmocka_unit_test(log_tells_the_journal),
	    cmocka_unit_test(log_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
