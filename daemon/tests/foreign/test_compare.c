/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The same requests to Debian's coturn and to us, the replies compared field
 * by field. Every difference stands in the table below with the sentence of
 * the RFC that makes our answer right; a difference that does not, and a row
 * that has no difference any more, fail the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/foreign/compare.h"
#include "daemon/tests/server/rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OURS     RIG_SERVER4 ":3478"
#define COTURN   RIG_SERVER4B ":3478"
#define TCP_STEP "tcp: "

struct difference {
	const char *step;  /* "*": any step */
	const char *field; /* of struct answer, or an attribute's name */
	const char *coturn, *ours;
	const char *why; /* what makes ours right */
	int seen;
};

static struct difference differences[] = {
#define DIFFERENCE(step, field, coturn, ours, why) {step, field, coturn, ours, why, 0},
#include "daemon/tests/foreign/differences.def"
};

#define DIFFERENCES (sizeof(differences) / sizeof(*differences))

static struct talk coturn = {.server = COTURN}, ours = {.server = OURS};
static struct rig_server server;
static struct rig_program turnserver, echo;
static int unlisted;

static const char *attr_name(uint16_t type, char text[8])
{
	const char *name = wire_attr_name(type);

	snprintf(text, 8, "0x%04x", type);
	return name ? name : text;
}

/* ---- what came back ---- */

static int by_number(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void note_attrs(struct answer *a, const uint8_t *m, size_t len)
{
	for (size_t at = 20; at + 4 <= len;) {
		uint16_t type = wire_type(m + at);
		bool had = false;

		for (size_t i = 0; i < a->attr_n; i++)
			had |= a->attr[i] == type;
		if (!had && a->attr_n < COMPARE_ATTRS_MAX)
			a->attr[a->attr_n++] = type;
		at += 4 + (((size_t)(m[at + 2] << 8 | m[at + 3]) + 3) & ~(size_t)3);
	}
	qsort(a->attr, a->attr_n, sizeof(*a->attr), by_number);
}

static void note_values(struct answer *a, const struct talk *t)
{
	const uint8_t *m = t->c.in.buf, *v;
	size_t len = t->c.in.len, n, used = 0;
	struct addr mapped, self = {.in6 = {0}};
	socklen_t self_len = sizeof(self);
	uint8_t key[16];

	talker_key(&t->c, key);
	if (wire_get(m, len, ATTR_MESSAGE_INTEGRITY, &n))
		strcpy(a->integrity, wire_integrity_ok(m, len, key) ? "right" : "wrong");
	if (wire_get(m, len, ATTR_LIFETIME, &n)) /* a second may have passed since it was set */
		snprintf(a->lifetime, sizeof(a->lifetime), "%u",
		         (wire_get_u32(m, len, ATTR_LIFETIME) + 9) / 10 * 10);
	getsockname(t->c.fd, &self.sa, &self_len);
	if (wire_get_xor_addr(m, len, ATTR_XOR_MAPPED_ADDRESS, &mapped))
		strcpy(a->mapped, addr_equal(&mapped, &self) ? "right" : "wrong");
	v = wire_get(m, len, ATTR_UNKNOWN_ATTRIBUTES, &n);
	for (size_t i = 0; v && i + 1 < n && used + 6 < sizeof(a->unknown); i += 2)
		used += (size_t)snprintf(a->unknown + used, sizeof(a->unknown) - used, "%04x ",
		                         v[i] << 8 | v[i + 1]);
	strcpy(a->sound, wire_sound(m, len) ? "yes" : "no");
}

static int note(struct talk *t, const char *step, int code)
{
	struct answer *a = &t->answers[t->n++];

	if (code < 0) /* closed or not */
		code = TALKER_SILENCE;
	assert_true(t->n < COMPARE_STEPS_MAX);
	memset(a, 0, sizeof(*a));
	snprintf(a->step, sizeof(a->step), "%s%s", t->stream ? TCP_STEP : "", step);
	a->code = code;
	strcpy(a->integrity, "none");
	strcpy(a->lifetime, "none");
	strcpy(a->mapped, "none");
	if (code == TALKER_SILENCE)
		return code;
	a->type = wire_type(t->c.in.buf);
	if (t->c.in.buf[0] < 0x40) { /* not ChannelData */
		note_attrs(a, t->c.in.buf, t->c.in.len);
		note_values(a, t);
	}
	return code;
}

int compare_say(struct talk *t, const char *step, const struct wire *m)
{
	t->c.wait_ms = t->wait_ms;
	return note(t, step, talker_say(&t->c, m));
}

int compare_ask(struct talk *t, const char *step, struct wire *m)
{
	t->c.wait_ms = t->wait_ms;
	return note(t, step, talker_ask(&t->c, m));
}

int compare_listen(struct talk *t, const char *step)
{
	return note(t, step, talker_receive(&t->c, t->wait_ms));
}

/* ---- the two side by side ---- */

/* A row without the transport holds for both. */
static bool is_step(const char *row, const char *step)
{
	size_t n = strlen(TCP_STEP);

	return !strcmp(row, "*") || !strcmp(row, step) ||
	       (!strncmp(step, TCP_STEP, n) && !strcmp(row, step + n));
}

static struct difference *listed(const char *step, const char *field, const char *theirs,
                                 const char *our)
{
	for (size_t i = 0; i < DIFFERENCES; i++) {
		struct difference *d = &differences[i];

		if (is_step(d->step, step) && !strcmp(d->field, field) &&
		    !strcmp(d->coturn, theirs) && !strcmp(d->ours, our))
			return d;
	}
	return NULL;
}

static void differ(const char *step, const char *field, const char *theirs, const char *our)
{
	struct difference *d = listed(step, field, theirs, our);

	if (d) {
		d->seen++;
		return;
	}
	fprintf(stderr,
	        "make ours the same, or list it in differences.def with what makes ours right:\n"
	        "DIFFERENCE(\"%s\", \"%s\", \"%s\", \"%s\",\n",
	        step, field, theirs, our);
	unlisted++;
}

static void compare_text(const char *step, const char *field, const char *theirs, const char *our)
{
	if (strcmp(theirs, our) != 0)
		differ(step, field, theirs, our);
}

static const char *outcome(const struct answer *a, char text[16])
{
	if (a->code == TALKER_SILENCE)
		return "silence";
	if (!a->code)
		return "success";
	snprintf(text, 16, "%d", a->code);
	return text;
}

static bool has(const struct answer *a, uint16_t type)
{
	for (size_t i = 0; i < a->attr_n; i++)
		if (a->attr[i] == type)
			return true;
	return false;
}

static void compare_answers(const struct answer *c, const struct answer *o)
{
	char text[2][16], name[8];

	assert_string_equal(c->step, o->step);
	if (c->code != o->code) { /* nothing else could be the same */
		differ(c->step, "outcome", outcome(c, text[0]), outcome(o, text[1]));
		return;
	}
	snprintf(text[0], sizeof(text[0]), "0x%04x", c->type);
	snprintf(text[1], sizeof(text[1]), "0x%04x", o->type);
	compare_text(c->step, "type", text[0], text[1]);
	for (size_t i = 0; i < c->attr_n; i++)
		if (!has(o, c->attr[i]))
			differ(c->step, attr_name(c->attr[i], name), "present", "absent");
	for (size_t i = 0; i < o->attr_n; i++)
		if (!has(c, o->attr[i]))
			differ(c->step, attr_name(o->attr[i], name), "absent", "present");
	compare_text(c->step, "integrity", c->integrity, o->integrity);
	compare_text(c->step, "lifetime", c->lifetime, o->lifetime);
	compare_text(c->step, "mapped", c->mapped, o->mapped);
	compare_text(c->step, "unknown", c->unknown, o->unknown);
	compare_text(c->step, "sound", c->sound, o->sound);
}

/* ---- the test ---- */

static int setup(void **state)
{
	char command[512];

	(void)state;
	rig_server_prepare(&server, "ours");
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	free(rig_verb(&server, "user add bob --password-stdin", "builder\n"));
	rig_server_start(&server, "ours", "--listen " OURS " --relay-ports 50000-54999");
	snprintf(command, sizeof(command),
	         "turnserver -n --no-cli --lt-cred-mech -u alice:wonderland -u bob:builder "
	         "-r turnpike -L " RIG_SERVER4B " -p 3478 --no-tls --no-dtls --no-rfc5780 "
	         "--simple-log --log-file stdout --min-port 55000 --max-port 59999 "
	         "--userdb %s/turndb --pidfile %s/turnserver.pid",
	         rig_dir(), rig_dir());
	rig_start(&turnserver, command, NULL);
	assert_true(rig_wait_output(&turnserver, "SQLite DB connection success", 10000));
	rig_echo_start(&echo, 3480);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_signal_and_wait(&echo, 9, 10000);
	rig_signal_and_wait(&turnserver, 9, 10000);
	rig_server_stop(&server);
	return 0;
}

static void play(const struct script *s, int wait_ms)
{
	coturn.n = ours.n = 0;
	coturn.wait_ms = ours.wait_ms = wait_ms;
	for (int stream = 0; stream < 2; stream++) {
		if (stream ? !s->tcp : !s->udp)
			continue;
		coturn.stream = ours.stream = stream;
		s->run(&coturn);
		s->run(&ours);
	}
}

/* One said what the other should have said, too, or will say yet. */
static bool may_be_late(void)
{
	char text[2][16];
	bool late = coturn.n != ours.n;

	for (size_t i = 0; !late && i < ours.n; i++) {
		const struct answer *c = &coturn.answers[i], *o = &ours.answers[i];

		late = c->code != o->code &&
		       (c->code == TALKER_SILENCE || o->code == TALKER_SILENCE) &&
		       !listed(c->step, "outcome", outcome(c, text[0]), outcome(o, text[1]));
	}
	return late;
}

static void script_holds(void **state)
{
	const struct script *s = *state;

	play(s, TALKER_SILENCE_MS);
	if (may_be_late())
		play(s, TALKER_WAIT_MS);
	unlisted = 0;
	assert_int_equal(coturn.n, ours.n);
	for (size_t i = 0; i < ours.n; i++)
		compare_answers(&coturn.answers[i], &ours.answers[i]);
	assert_int_equal(unlisted, 0);
}

/* Runs last. */
static void no_row_is_out_of_date(void **state)
{
	int stale = 0;

	(void)state;
	for (size_t i = 0; i < DIFFERENCES; i++) {
		const struct difference *d = &differences[i];

		if (d->seen)
			continue;
		fprintf(stderr, "no longer so: %s, %s: coturn %s, ours %s\n", d->step, d->field,
		        d->coturn, d->ours);
		stale++;
	}
	assert_int_equal(stale, 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[64];
	size_t n = 0;

	(void)argc;
	rig_enter(argv);
	assert_true(compare_script_n < 64);
	for (; n < compare_script_n; n++)
		tests[n] = (struct CMUnitTest){.name = compare_scripts[n].name,
		                               .test_func = script_holds,
		                               .initial_state = (void *)&compare_scripts[n]};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_row_is_out_of_date);
	return _cmocka_run_group_tests("compare", tests, n, setup, teardown);
}
