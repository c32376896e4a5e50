/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The model's people: what their clients say, hear and know.
 */
#include "base/tests/test.h"
#include "signal/tests/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const rooms[] = {"", "", "red", "blue"};

/* Names, and what they read as. */
static const struct {
	const char *text;
	char reads;
} names[] = {
    {"alice", 'a'},
    {"Alice", 'a'},
    {"\xd0\xb0lice", 'a'},
    {"alice\xe2\x80\x8b", 'a'}, /* Cyrillic a; ZERO WIDTH SPACE */
    {"bob", 'b'},
    {"B0B", 'b'},
    {"carol", 'c'},
    {"\xce\x9d\xce\xaf\xce\xba\xce\xbf\xcf\x82", 'n'}, /* Nikos */
    {"\xe6\x97\xa5\xe6\x9c\xac", 'j'},
    {"\xe6\x97\xa5\xe6\x9c\xa8", 'k'}, /* one stroke makes two */
    {"dave", 'd'},
};

enum { NAMES = sizeof(names) / sizeof(names[0]) };

const char *name_any(struct model *m)
{
	return names[model_dice(m, NAMES)].text;
}

/* What the stem of a name reads as; *number is behind it. */
static char reads_as(const char *name, const char **number)
{
	for (unsigned i = 0; i < NAMES; i++) {
		size_t len = strlen(names[i].text);

		if (!strncmp(name, names[i].text, len) &&
		    strspn(name + len, "0123456789") == strlen(name + len)) {
			*number = name + len;
			return names[i].reads;
		}
	}
	*number = name;
	return 0;
}

unsigned people_called(const struct model *m, const char *room, const char *name)
{
	unsigned set = 0;

	for (const struct person *p = m->person; p < m->person + PEOPLE; p++) {
		for (unsigned i = 0; i < p->had_n && i < NAMES_HAD; i++) {
			if (!strcmp(p->room, room) && !strcmp(p->had[i], name))
				set |= 1u << p->index;
		}
	}
	return set;
}

bool name_same(const char *a, const char *b)
{
	const char *a_number, *b_number;
	char a_reads = reads_as(a, &a_number), b_reads = reads_as(b, &b_number);

	return a_reads == b_reads && !strcmp(a_number, b_number);
}

static void forget_users(struct person *p)
{
	for (unsigned i = 0; i < p->user_n; i++)
		free(p->users[i]);
	p->user_n = 0;
	p->has_list = false;
}

void person_born(struct model *m, struct person *p)
{
	static unsigned lives; /* so that no secret comes twice */
	struct conn *conn = p->conn;

	forget_users(p);
	free(p->users);
	*p = (struct person){.index = p->index, .conn = conn, .sub = -1, .born = m->note_n};
	p->room = rooms[model_dice(m, sizeof(rooms) / sizeof(rooms[0]))];
	p->extended = model_dice(m, 3) > 0;
	p->returns = model_dice(m, 3) > 0;
	if (getenv("NORET"))
		p->returns = false;
	p->counts = p->extended && p->returns && model_dice(m, 3) > 0;
	p->delta = !getenv("NORET") && p->extended && model_dice(m, 2);
	if (p->extended && !model_dice(m, 3))
		p->sub = (int)model_dice(m, 2);
	snprintf(p->secret, sizeof(p->secret), "a secret of life %u", ++lives);
}

void person_says(struct model *m, struct person *p, const char *fmt, ...)
{
	char text[BIG + 1024];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert_in_range(len, 1, sizeof(text) - 1);
	model_trace(m, p, ">", text);
	if (p->conn && !p->conn->close_code)
		hub_text(p->conn->member, text, (size_t)len);
}

void person_sign_in(struct model *m, struct person *p, const char *name)
{
	const char *room = *p->room ? p->room : HUB_DEFAULT_ROOM;
	char text[512];
	int n;

	snprintf(p->before, sizeof(p->before), "%s", p->told);
	if (name != p->told)
		snprintf(p->told, sizeof(p->told), "%s", name);
	p->asked = true;
	p->asked_n = m->note_n;
	n = snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"%s\",\"date\":1", name);
	if (p->returns)
		n += sprintf(text + n, ",\"resume\":\"%s\"", p->secret);
	if (p->counts)
		n += sprintf(text + n, ",\"seen\":%u", p->seen);
	if (p->sub >= 0)
		n += sprintf(text + n, ",\"ticket\":\"s%d:holder:%s\"", p->sub, room);
	if (p->extended)
		n += sprintf(text + n, ",\"room\":\"%s\"", room);
	if (p->delta)
		n += sprintf(text + n, ",\"presence\":\"delta\"");
	person_says(m, p, "%s}", text);
}

/* ---- what it hears ---- */

static const char *text_of(const json_t *msg, const char *member)
{
	const char *text = json_string_value(json_object_get(msg, member));

	return text ? text : "";
}

static int find_user(const struct person *p, const char *name)
{
	for (unsigned i = 0; i < p->user_n; i++) {
		if (!strcmp(p->users[i], name))
			return (int)i;
	}
	return -1;
}

static void add_user(struct person *p, const json_t *user)
{
	const char *name = json_is_object(user) ? text_of(user, "name") : json_string_value(user);

	p->users = realloc(p->users, (p->user_n + 1) * sizeof(*p->users));
	assert_non_null(p->users);
	p->users[p->user_n++] = strdup(name ? name : "");
}

static void drop_user(struct model *m, struct person *p, const char *name)
{
	int at = find_user(p, name);

	model_check(m, MODEL_DELTA, at >= 0, "%s has left, and was not there", name);
	if (at < 0)
		return;
	free(p->users[at]);
	p->users[at] = p->users[--p->user_n];
}

static void hears_list(struct person *p, const json_t *users)
{
	json_t *user;
	size_t i;

	forget_users(p);
	json_array_foreach (users, i, user)
		add_user(p, user);
	p->has_list = true;
}

/* Without "from" it is the whole list. */
static void hears_presence(struct model *m, struct person *p, const json_t *msg)
{
	json_t *from = json_object_get(msg, "from"), *item;
	size_t i;

	if (!from) {
		hears_list(p, json_object_get(msg, "users"));
	} else if (!p->has_list || json_integer_value(from) != p->version) {
		person_says(m, p, "{\"type\":\"presence\"}");
		return;
	} else {
		json_array_foreach (json_object_get(msg, "left"), i, item)
			drop_user(m, p,
			          json_is_object(item) ? text_of(item, "name")
			                               : json_string_value(item));
		json_array_foreach (json_object_get(msg, "renamed"), i, item) {
			drop_user(m, p, json_string_value(json_array_get(item, 0)));
			add_user(p, json_array_get(item, 1));
		}
		json_array_foreach (json_object_get(msg, "joined"), i, item) {
			/* Also those in whom only something else has changed. */
			const char *name =
			    json_is_object(item) ? text_of(item, "name") : json_string_value(item);

			if (find_user(p, name ? name : "") < 0)
				add_user(p, item);
		}
	}
	p->version = json_integer_value(json_object_get(msg, "version"));
}

/* The hub does not know this life (any more): what was lost is lost. */
static void begins_anew(struct model *m, struct person *p)
{
	model_check(m, MODEL_RETURN, !p->must_return, "%s came back in time and is new", p->told);
	ledger_ends(m, p);
	p->seen = p->confirmed = p->sent = 0;
	p->born = p->asked_n;
	memset(p->last, 0, sizeof(p->last));
}

static void hears_signed_in(struct model *m, struct person *p, const json_t *msg)
{
	int64_t missed = json_integer_value(json_object_get(msg, "missed"));
	const char *name = text_of(msg, "name");

	if (model_breaks(m, BREAK_RING_OVERRUN))
		missed += KEPT_MAX + 1;
	model_check(m, MODEL_RING, missed >= 0 && missed <= KEPT_MAX, "%d frames were kept",
	            (int)missed);
	m->verdict.kept += (unsigned long)missed;
	p->lost = json_integer_value(json_object_get(msg, "lost"));
	if (json_is_true(json_object_get(msg, "resumed"))) {
		model_check(m, MODEL_RETURN,
		            !p->must_return || !strcmp(name, p->had_name) || !strcmp(name, p->told),
		            "%s came back and is %s", p->told, name);
		m->verdict.returns++;
	} else if (p->back) {
		begins_anew(m, p);
	}
	if (p->back && json_is_true(json_object_get(msg, "resumed"))) {
		int64_t last = json_integer_value(json_object_get(msg, "last"));

		model_check(m, MODEL_RETURN, !p->counts || last == p->acked,
		            "the hub has %s's messages up to %d, and not %u", p->told, (int)last,
		            p->acked);
		ledger_repeat(m, p, (unsigned)last);
	}
	if (p->lost)
		ledger_told_lost(m, p);
	calls_signed_in(p, json_object_get(msg, "calls"));
	p->back = p->must_return = false;
	snprintf(p->told, sizeof(p->told), "%s", name);
}

static void hears_other_name(struct model *m, struct person *p, const char *name)
{
	/* Who knows no "signed-in" learns so that its place is lost. */
	model_check(m, MODEL_RETURN, p->extended || !p->must_return || !strcmp(name, p->had_name),
	            "%s came back and is %s", p->told, name);
	snprintf(p->told, sizeof(p->told), "%s", name);
}

static bool is_unnumbered(const char *type)
{
	static const char *const types[] = {"id",        "ack",         "presence",      "userlist",
	                                    "signed-in", "ice-servers", "rejectusername"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (!strcmp(type, types[i]))
			return true;
	}
	return false;
}

/* Whether it is new. */
static bool is_numbered_right(struct model *m, struct person *p, const json_t *msg,
                              const char *type)
{
	const json_t *seq = json_object_get(msg, "seq");
	int64_t n = json_integer_value(seq);

	if (!p->counts || (!seq && is_unnumbered(type)))
		return true;
	model_check(m, MODEL_NUMBER, seq || !p->conn->named, "no number on %s", type);
	if (!seq)
		return true;
	model_check(m, MODEL_NUMBER, n > p->seen, "%d came after %u", (int)n, p->seen);
	model_check(m, MODEL_NUMBER, n <= p->seen + 1 + p->lost, "%d came after %u, %d were lost",
	            (int)n, p->seen, (int)p->lost);
	p->lost -= n - p->seen - 1;
	p->seen = (unsigned)n;
	return true;
}

static void hears_error(struct model *m, struct person *p, const json_t *msg)
{
	unsigned number = ledger_error_number(msg);

	m->verdict.errors++;
	if (!strcmp(text_of(msg, "for"), "username"))
		snprintf(p->told, sizeof(p->told), "%s", p->before);
	if (number)
		ledger_error(m, p, number, json_integer_value(json_object_get(msg, "missed")));
}

static void hears(struct model *m, struct person *p, const char *type, const json_t *msg)
{
	if (!strcmp(type, "rejectusername"))
		hears_other_name(m, p, text_of(msg, "name"));
	else if (!strcmp(type, "signed-in"))
		hears_signed_in(m, p, msg);
	else if (!strcmp(type, "userlist")) {
		hears_list(p, json_object_get(msg, "users"));
		p->must_return = p->must_return && p->extended;
	} else if (!strcmp(type, "presence"))
		hears_presence(m, p, msg);
	else if (!strcmp(type, "error"))
		hears_error(m, p, msg);
	else if (!strcmp(type, "ack"))
		ledger_ack(m, p, (unsigned)json_integer_value(json_object_get(msg, "ack")));
	else if (json_object_get(msg, "n"))
		ledger_heard(m, p, (unsigned)json_integer_value(json_object_get(msg, "n")),
		             text_of(msg, "name"));
	calls_heard(p, type, msg);
}

void person_hears(struct model *m, struct conn *c, const char *text)
{
	json_t *msg = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	struct person *p = c->person;
	const char *type = text_of(msg, "type");

	model_trace(m, p, c->current ? "<" : "(old) <", text);
	if (!msg)
		fail_msg("no JSON: %s", text);
	if (c->current && !p->asked)
		model_check(m, MODEL_UNNAMED,
		            !strcmp(type, "id") || !strcmp(type, "error") || !strcmp(type, "ack"),
		            "without a name it hears %s", text);
	if (c->current && is_numbered_right(m, p, msg, type))
		hears(m, p, type, msg);
	json_decref(msg);
}

void person_confirm(struct model *m, struct person *p)
{
	p->confirmed = p->seen;
	person_says(m, p, "{\"type\":\"seen\",\"seq\":%u}", p->seen);
}

/* ---- how it goes ---- */

static int64_t grace_ms(unsigned code)
{
	return code == HUB_CLOSE_NORMAL ? 0 : code == HUB_CLOSE_GOING_AWAY ? GRACE_1001 : GRACE_MS;
}

void person_expires(struct model *m, struct person *p)
{
	ledger_ends(m, p);
	person_born(m, p);
}

static void goes_away(struct model *m, struct person *p, int64_t ms)
{
	p->away = p->must_return = true;
	p->away_until = m->now_ms + ms;
	snprintf(p->had_name, sizeof(p->had_name), "%s", p->name);
}

/* How many frames of the queue are older than what the hub keeps for a client that counts. Some
 * more, to be sure. */
static unsigned too_old(const struct conn *c)
{
	unsigned n = 0, i = c->n;
	size_t bytes = 0;

	for (; i; i--) {
		const struct hub_text *text = c->queue[i - 1].text;

		n += text->seq != 0;
		bytes += text->seq ? text->len : 0;
		if (n > KEPT_MAX - 4 || bytes > KEPT_BYTES - 2 * BIG)
			break;
	}
	return i;
}

/* safe: it will hear again what it has not heard. */
static void loses_connection(struct model *m, struct person *p, bool safe)
{
	struct conn *c = p->conn;
	unsigned n = safe ? too_old(c) : c->n;

	ledger_blink(m, p);
	if (p->seen > p->confirmed)
		ledger_unconfirmed(m, p);
	if (p->counts && p->sent - p->confirmed > KEPT_MAX / 2)
		ledger_full(m, p);
	for (unsigned i = 0; i < n; i++) {
		ledger_unsure(m, p, ledger_number(c->queue[i].text->data), i >= c->flown);
		ledger_unheard(m, p, c->queue[i].text->data);
	}
	p->asked = false;
	if (!p->counts) /* it may miss the end; only "signed-in" tells then */
		memset(p->partner, 0, sizeof(p->partner));
}

void person_drops(struct model *m, struct person *p, unsigned code)
{
	struct conn *c = p->conn;
	bool may_return = p->named && p->returns && grace_ms(code) && !c->close_code;
	char text[16];

	snprintf(text, sizeof(text), "%u", code);
	model_trace(m, p, "drops", text);
	loses_connection(m, p, p->counts && may_return);
	model_leave(m, c, c->close_code ? c->close_code : code);
	if (may_return)
		goes_away(m, p, grace_ms(code));
	else
		person_expires(m, p);
}

void person_loses_hub(struct model *m, struct person *p)
{
	bool may_return = p->named && p->returns && (p->away || (p->conn && !p->conn->close_code));

	model_trace(m, p, "loses", "the hub");
	if (p->conn) {
		for (unsigned i = 0; !p->counts && i < p->conn->n; i++)
			ledger_unsure(m, p, ledger_number(p->conn->queue[i].text->data), false);
		loses_connection(m, p, p->counts && may_return);
	}
	p->conn = NULL;
	if (may_return)
		goes_away(m, p, GRACE_MS);
	else
		person_expires(m, p);
}

static void has_name(struct model *m, struct conn *c, const char *name)
{
	struct person *p = c->person;

	m->verdict.renames += c->named && strcmp(p->name, name) != 0;
	c->named = p->named = true;
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->had[p->had_n++ % NAMES_HAD], NAME_ROOM, "%s", name);
}

/* One more device has a name without an event. */
void person_is_told(struct model *m, struct conn *c, const char *text)
{
	json_t *msg = json_loads(text, 0, NULL);
	const char *type = text_of(msg, "type");

	if (c->person && c->current &&
	    (!strcmp(type, "rejectusername") || !strcmp(type, "signed-in")))
		has_name(m, c, text_of(msg, "name"));
	json_decref(msg);
}

/* Somebody with a ticket has taken the name of one who is away. */
static void renamed_away(struct model *m, const struct hub_event *e)
{
	for (struct person *p = m->person; p < m->person + PEOPLE; p++) {
		if (!p->away || p->origin != e->member_id)
			continue;
		snprintf(p->name, sizeof(p->name), "%s", e->name);
		snprintf(p->had_name, sizeof(p->had_name), "%s", e->name);
	}
}

void person_event(struct model *m, const struct hub_event *e)
{
	struct person *p, *o;
	struct conn *c = m->conn;

	if (e->what != HUB_EVENT_NAMED)
		return;
	while (c < m->conn + CONNS &&
	       (!c->person || !c->current || (c->id != e->member_id && c->origin != e->member_id)))
		c++;
	if (c == m->conn + CONNS) {
		renamed_away(m, e);
		return;
	}
	p = c->person;
	p->origin = e->member_id;
	has_name(m, c, e->name);
	for (o = m->person; o < m->person + PEOPLE; o++) {
		if (o != p && o->named && model_breaks(m, BREAK_SAME_NAME) &&
		    !strcmp(o->room, p->room))
			snprintf(p->name, sizeof(p->name), "%s", o->name);
	}
}
