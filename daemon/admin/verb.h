/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One row a verb of administration. From it come the command line, --help and
 * the manual page, the Unix socket, HTTPS, the paths of docs/openapi.json, the
 * table of docs/admin.md and the answer of the verb "verbs". docs/api.md has the
 * rules that every row follows.
 *
 * The rows and their functions stand together, a file a noun (users.c,
 * secrets.c, ...).
 */
#ifndef DAEMON_VERB_H
#define DAEMON_VERB_H

#include "daemon/admin/admin.h"
#include "store/name.h"

#define VERB_ARGS_MAX     6
#define VERB_PAGE_DEFAULT 100
#define VERB_PAGE_MAX     1000

/* For arguments and for an answer's members. */
enum verb_type {
	VERB_TEXT,
	VERB_SECRET, /* text; the command line reads it from standard input */
	VERB_FILE,   /* text; the command line reads it from the file that a flag names */
	VERB_INTEGER,
	VERB_DURATION, /* whole seconds; the command line also takes 10m, 24h, 7d */
	VERB_BOOLEAN,
	VERB_TIME,  /* RFC 3339, UTC; a function gets its argument as seconds since 1970 */
	VERB_DAY,   /* "2026-11-22" */
	VERB_TEXTS, /* lists */
	VERB_INTEGERS,
	VERB_TIMES,
	VERB_ROWS, /* a list of objects */
	VERB_MAP,  /* objects by name */
};

enum {
	ARG_REQUIRED = 1 << 0,
	ARG_WORD = 1 << 1,   /* on the command line, without a flag */
	ARG_ONE_OF = 1 << 2, /* exactly one of those with this mark is required */
	ARG_PAGE = 1 << 3,   /* the command line gets all pages by itself */
	ARG_REALM = 1 << 4,  /* from the command line's option realm */
};

struct verb_arg {
	const char *name;
	enum verb_type type;
	unsigned flags;
	const char *help;
	const char *meta;      /* in usage texts; NULL: by its type */
	const char *shorthand; /* "admin": --admin stands for this value; or NULL */
};

#define ARG(name_, type_, flags_, help_)                                                           \
	{                                                                                          \
		name_, type_, flags_, help_, NULL, NULL                                            \
	}
#define ARG_AS(name_, type_, flags_, meta_, help_)                                                 \
	{                                                                                          \
		name_, type_, flags_, help_, meta_, NULL                                           \
	}

struct verb_member {
	const char *name;
	enum verb_type type;
	bool may_be_null;
	const char *help;
	const struct verb_member *of; /* of VERB_ROWS and VERB_MAP */
};
#define MEMBER(name_, type_, help_)                                                                \
	{                                                                                          \
		name_, type_, false, help_, NULL                                                   \
	}
#define MEMBER_OR_NULL(name_, type_, help_)                                                        \
	{                                                                                          \
		name_, type_, true, help_, NULL                                                    \
	}
#define MEMBERS(...) ((const struct verb_member[]){__VA_ARGS__, {0}})

/* Texts. The command line prints these, without --json: {name} stands for a member, {?name:yes|no}
 * for a choice: cli_print.c has all of it. NULL: nothing. */
struct verb_text {
	const char *say;     /* to standard error */
	const char *list;    /* the member whose rows are printed, */
	const char *head;    /* below this, */
	const char *line;    /* each like this; */
	const char *none;    /* to standard error when there are none */
	const char *print;   /* to standard output, after the list */
	const char *example; /* for docs/openapi.json: arguments, as JSON; NULL: none */
};

enum verb_access {
	VERB_READS,       /* GET and POST, any role */
	VERB_READS_ADMIN, /* GET and POST, role admin */
	VERB_ACTS,        /* POST, role admin */
};

enum {
	VERB_NEEDS_SERVER = 1 << 0, /* meaningless on the store alone */
	VERB_MAKES_STORE = 1 << 1,  /* the command line may use it before the first start */
	VERB_NOT_ON_CLI = 1 << 2,
	VERB_PLAIN = 1 << 3, /* no --json on the command line */
};

struct admin_task;
typedef int verb_fn(struct admin_task *t, struct why *why);

struct verb {
	const char *name; /* "user add": noun and verb, or one word */
	enum verb_access access;
	unsigned flags;
	verb_fn *fn;
	const char *help; /* one line, without a full stop */
	struct verb_arg args[VERB_ARGS_MAX];
	const struct verb_member *answer;
	struct verb_text text;
};
#define VERB(name_, access_, flags_, fn_, help_)                                                   \
	.name = name_, .access = access_, .flags = flags_, .fn = fn_, .help = help_

/* By noun, each ending in an empty row. */
extern const struct verb users_verbs[], secrets_verbs[], tokens_verbs[], accounts_verbs[],
    ticket_keys_verbs[], tickets_verbs[], sessions_verbs[], calls_verbs[], revocations_verbs[],
    usage_verbs[], audit_verbs[], people_verbs[], webhooks_verbs[], server_verbs[];

/* The i-th row of all, NULL past the last. */
const struct verb *verb_at(size_t i);

/* By its name or its path, with ' ', '/' or '-' between the words; NULL: unknown. */
const struct verb *verb_find(const char *name);

/* Under /api/v1/admin/: "user/add"; "user list" is "users". */
#define VERB_PATH_STRLEN 48
const char *verb_path(const struct verb *v, char out[VERB_PATH_STRLEN]);

/* NULL past the last one. */
const struct verb_arg *verb_arg(const struct verb *v, size_t i);

/* JSON's word for a type. */
const char *verb_type_text(enum verb_type type);

/* Parses an argument from a query or from the command line. *out is new. -E_PARSE; -E_INVAL for
 * text that is not UTF-8. */
int verb_parse(const struct verb *v, const struct verb_arg *arg, const char *text, json_t **out,
               struct why *why);

/* 0 when the verb takes these arguments (an object, or NULL for none). -E_PARSE. */
int verb_check(const struct verb *v, const json_t *args, struct why *why);

/* What wall_text() writes, in milliseconds since 1970; -E_PARSE for any other form. */
int verb_time_parse(const char *text, int64_t *at_ms);

/* ---- for the verbs' functions ---- */

/* A running verb. */
struct admin_task {
	struct admin *admin; /* NULL on the helper's thread */
	struct store *store; /* this thread's */
	const struct admin_actor *actor;
	const struct verb *verb;
	const json_t *args; /* checked */
	json_t *result;     /* the function sets it */
	struct admin_later *later;
};

/* NULL or the default when not given. Durations and times are in seconds. */
const char *task_text(const struct admin_task *t, const char *name);
int64_t task_number(const struct admin_task *t, const char *name, int64_t def);
bool task_flag(const struct admin_task *t, const char *name);

/* Takes result; NULL means out of memory. */
int task_done(struct admin_task *t, json_t *result, struct why *why);

/* For `return task_later(...)`: runs fn, which may be slow, on the helper's thread, with only
 * t->store and the arguments; without such a thread, at once. -E_LATER, -E_LIMIT, -E_NOMEM. */
int task_later(struct admin_task *t, verb_fn *fn, struct why *why);

/* A verb that changes something is done, or was refused. */
void task_finish(struct admin *a, const char *verb, const char *actor, int err);

/* Records an act outside of the store. If the store cannot be written, only the log gets it: a
 * server with a full disk can be drained. */
void task_audit(struct admin_task *t, const char *act, const char *object);

/* The given password, or a new one; a new one is also in made, which is otherwise empty. */
int task_password(const struct admin_task *t, char made[STORE_PASSWORD_STRLEN],
                  const char **password, struct why *why);

/* New values for an answer: text of any bytes in its printable form (text.h), times; null for 0. A
 * time after the year 9999 is its last second. */
json_t *json_shown(const char *text, size_t len);
json_t *json_time(int64_t at_s);
json_t *json_time_ms(int64_t at_ms);

/* A page of a list. */
struct rows {
	json_t *array;
	const char *after; /* the key that the page begins after, or NULL */
	int64_t limit;     /* 0: none */
	bool more;
	char last[REALM_MAX_LEN + NAME_MAX_LEN + 2]; /* the key of the last row */
};

/* From the arguments limit and after. */
int rows_begin(struct rows *rows, const struct admin_task *t, struct why *why);

/* Adds a row (stolen). 0, -E_NOMEM, or ROWS_FULL: no room, end the walk. */
#define ROWS_FULL 1
int rows_add(struct rows *rows, const char *key, json_t *row);

/* {name: the rows, "next": the last key or null}, once the walk has ended with r. */
int rows_done(struct rows *rows, struct admin_task *t, int err, const char *name, struct why *why);

#define ARGS_PAGE                                                                                  \
	ARG("limit", VERB_INTEGER, ARG_PAGE, "Rows of a page, 1 to 1000; 100 if it is not given"), \
	    ARG("after", VERB_TEXT, ARG_PAGE, "What the page before gave as its next")
#define MEMBER_NEXT                                                                                \
	MEMBER_OR_NULL("next", VERB_TEXT, "Where the next page begins; null on the last")

/* Counts the allocations of each of n secrets and adds them to counts. False: a worker has not
 * answered, or out of memory. */
bool sessions_count(struct admin_task *t, const int64_t *ids, size_t n, uint64_t *counts);

/* The newest sessions of a secret, in the form of the verb "sessions"; NULL: out of memory. */
json_t *sessions_of_secret(struct admin_task *t, int64_t id);

extern const struct verb_member session_members[];
#define SESSION_HEAD                                                                               \
	"session     user                      by    client                 relayed              " \
	"  "                                                                                       \
	"     age peers   to peers  to client"
#define SESSION_LINE                                                                               \
	"{id,-10}  {user,-24}  {transport,-5} {client,-22} {relayed:1,-22} {age_s:d,8} {peers,5} " \
	"{to_peer_bytes:b,10} {to_client_bytes:b,10}"

#endif
