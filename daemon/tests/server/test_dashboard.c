/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dashboard and the alerts in docs/examples against what a running server
 * prints at /metrics: each metric in an expression is there, with these labels
 * and used as its type wants it; and each metric is in the dashboard, or left
 * out on purpose. Alerts on a state fire in it, and at no other time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/exposition.h"
#include "daemon/tests/server/rig.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH    32
#define NAME     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:"
#define LINE_LEN 2048

/* Not worth a panel. */
static const char *const left_out[] = {
    "process_virtual_memory_bytes",  /* says nothing about what is used */
    "turnpike_log_lines_lost_total", /* the log says it, too */
};

static struct rig_server server;
static json_t *families, *dashboard, *used; /* used: {name: true} by the dashboard */

static char conf_path[128];

static void configure(const char *more)
{
	FILE *f = fopen(conf_path, "w");

	assert_non_null(f);
	fprintf(f, "listen = 127.0.0.1:8080\n%s", more);
	fclose(f);
}

static int setup(void **state)
{
	char options[160];

	*state = &server;
	snprintf(conf_path, sizeof(conf_path), "%s/turnpike.conf", rig_dir());
	snprintf(options, sizeof(options), "--config %s", conf_path);
	configure("");
	rig_server_start(&server, "dashboard", options);
	families = exposition_of(&server);
	dashboard =
	    json_load_file(EXAMPLES "/grafana-dashboard.json", JSON_REJECT_DUPLICATES, NULL);
	used = json_object();
	assert_non_null(dashboard);
	return 0;
}

static int teardown(void **state)
{
	json_decref(families);
	json_decref(dashboard);
	json_decref(used);
	return rig_server_end(state);
}

/* ---- expressions ---- */

static bool is_ours(const char *name)
{
	return !strncmp(name, "turnpike_", 9) || !strncmp(name, "process_", 8);
}

/* Labels that Prometheus itself adds. */
static bool is_target_label(const char *label)
{
	return !strcmp(label, "job") || !strcmp(label, "instance");
}

/* Whether a family's series have the label; NULL: whether any family's have. */
static bool has_label(const char *name, const char *label)
{
	json_t *family;
	const char *key, *series;
	char text[80];

	if (is_target_label(label))
		return true;
	snprintf(text, sizeof(text), "%s=\"", label);
	json_object_foreach (families, key, family) {
		if (name && strcmp(name, key) != 0)
			continue;
		series = json_object_iter_key(json_object_iter(json_object_get(family, "series")));
		for (const char *at = series; (at = strstr(at, text)); at++)
			if (at[-1] == '{' || at[-1] == ',')
				return true;
	}
	return false;
}

/* {label="value",...} behind a metric; what follows. */
static const char *check_matchers(const char *expr, const char *name, const char *at)
{
	char label[64];

	for (at++; *at && *at != '}'; at += strspn(at, ", ")) {
		size_t n = strspn(at, NAME);

		snprintf(label, sizeof(label), "%.*s", (int)n, at);
		if (!n || (is_ours(name) && !has_label(name, label)))
			fail_msg("%s: %s has no label %s", expr, name, label);
		at += n;
		at += strspn(at, "=!~");
		assert_int_equal(*at, '"');
		at += 1 + strcspn(at + 1, "\"") + 1;
	}
	assert_int_equal(*at, '}');
	return at + 1;
}

static bool takes_counters(const char *function)
{
	return !strcmp(function, "rate") || !strcmp(function, "increase") ||
	       !strcmp(function, "irate");
}

/* A counter is of use only by its growth, and nothing else grows. */
static void check_metric(const char *expr, const char *name, const char *function, bool range)
{
	const char *type = exposition_type(families, name, strlen(name));

	if (!type)
		fail_msg("%s: the server has no metric %s", expr, name);
	if ((!strcmp(type, "counter")) != takes_counters(function))
		fail_msg("%s: %s is a %s in %s()", expr, name, type, function);
	if (range != takes_counters(function))
		fail_msg("%s: a range in %s()", expr, function);
}

/* "by (a, b)", "on (a)": labels of anybody's. */
static const char *check_grouping(const char *expr, const char *at)
{
	char label[64];

	at += strspn(at, " ");
	if (*at != '(')
		fail_msg("%s: labels stand in parentheses", expr);
	for (at++; *at && *at != ')'; at += strspn(at, ", ")) {
		size_t n = strspn(at, NAME);

		snprintf(label, sizeof(label), "%.*s", (int)n, at);
		if (!n || !has_label(NULL, label))
			fail_msg("%s: nothing has the label %s", expr, label);
		at += n;
	}
	return at + 1;
}

static bool groups(const char *word)
{
	return !strcmp(word, "by") || !strcmp(word, "on") || !strcmp(word, "without") ||
	       !strcmp(word, "ignoring");
}

/* A walk over the words of an expression. Returns how many metrics of ours are in it. */
static unsigned check_expr(const char *expr, json_t *note)
{
	char function[DEPTH][80] = {""}, word[80];
	const char *at = expr;
	unsigned n = 0;
	int depth = 0;

	while (*at) {
		size_t len = strspn(at, NAME);

		if (*at == '(') {
			assert_true(++depth < DEPTH);
			function[depth][0] = 0;
		} else if (*at == ')') {
			assert_true(--depth >= 0);
		}
		if (!len) {
			at++;
			continue;
		}
		assert_true(len < sizeof(word));
		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		at += len;
		if (groups(word)) {
			at = check_grouping(expr, at);
		} else if (*at == '(') {
			assert_true(++depth < DEPTH);
			snprintf(function[depth], sizeof(function[depth]), "%s", word);
			at++;
		} else if (is_ours(word) || !strcmp(word, "up")) {
			if (*at == '{')
				at = check_matchers(expr, word, at);
			if (!is_ours(word))
				continue;
			check_metric(expr, word, function[depth], *at == '[');
			if (*at == '[')
				at += strcspn(at, "]");
			if (note)
				json_object_set_new(note, word, json_true());
			n++;
		}
	}
	assert_int_equal(depth, 0);
	return n;
}

/* "{{reason}} of {{instance}}" */
static void check_legend(const char *legend)
{
	char label[64];

	while ((legend = strstr(legend, "{{"))) {
		snprintf(label, sizeof(label), "%.*s", (int)strcspn(legend + 2, "}"), legend + 2);
		if (!has_label(NULL, label))
			fail_msg("a legend names the label %s, which nothing has", label);
		legend += 2;
	}
}

/* ---- the dashboard ---- */

static void check_target(json_t *target)
{
	const char *uid =
	    json_string_value(json_object_get(json_object_get(target, "datasource"), "uid"));
	const char *expr = json_string_value(json_object_get(target, "expr"));

	assert_non_null(expr);
	assert_string_equal(uid, "${datasource}");
	if (!check_expr(expr, used) && strncmp(expr, "sum(up", 6) != 0)
		fail_msg("%s: no metric of ours", expr);
	if (!strstr(expr, "{job=~\"$job\",instance=~\"$instance\""))
		fail_msg("%s: not of the job and the instance that are chosen", expr);
	check_legend(json_string_value(json_object_get(target, "legendFormat")));
}

static void dashboard_fits(void **state)
{
	json_t *panel, *target, *ids = json_object();
	char id[32];
	size_t i, k, n = 0;

	(void)state;
	json_array_foreach (json_object_get(dashboard, "panels"), i, panel) {
		snprintf(id, sizeof(id), "%lld",
		         (long long)json_integer_value(json_object_get(panel, "id")));
		assert_null(json_object_get(ids, id));
		json_object_set_new(ids, id, json_true());
		json_array_foreach (json_object_get(panel, "targets"), k, target) {
			check_target(target);
			n++;
		}
	}
	assert_true(n > 40);
	json_decref(ids);
}

static void dashboard_is_of_grafana(void **state)
{
	static const char *const rows[] = {
	    "Overview",        "Relay",   "TURN requests & errors", "Signaling & credentials",
	    "Process & store", "Webhooks"};
	static const char *const variables[] = {"datasource", "job", "instance"};
	json_t *list = json_object_get(json_object_get(dashboard, "templating"), "list"), *panel;
	size_t i, row = 0;
	json_int_t y = -1;

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(dashboard, "schemaVersion")), 39);
	assert_string_equal(json_string_value(json_object_get(dashboard, "title")), "Turnpike");
	assert_int_equal(json_array_size(list), 3);
	for (i = 0; i < 3; i++)
		assert_string_equal(
		    json_string_value(json_object_get(json_array_get(list, i), "name")),
		    variables[i]);
	json_array_foreach (json_object_get(dashboard, "panels"), i, panel) {
		json_t *at = json_object_get(panel, "gridPos");
		json_int_t x = json_integer_value(json_object_get(at, "x")),
		           w = json_integer_value(json_object_get(at, "w")),
		           top = json_integer_value(json_object_get(at, "y"));

		assert_true(x >= 0 && w > 0 && x + w <= 24 && top >= y);
		y = top;
		if (strcmp(json_string_value(json_object_get(panel, "type")), "row") != 0)
			continue;
		assert_true(row < sizeof(rows) / sizeof(*rows));
		assert_string_equal(json_string_value(json_object_get(panel, "title")),
		                    rows[row++]);
	}
	assert_int_equal(row, sizeof(rows) / sizeof(*rows));
}

/* The variables' own queries. */
static void variables_fit(void **state)
{
	json_t *variable;
	size_t i, n = 0;

	(void)state;
	json_array_foreach (json_object_get(json_object_get(dashboard, "templating"), "list"), i,
	                    variable) {
		const char *query =
		    json_string_value(json_object_get(json_object_get(variable, "query"), "query"));

		if (!query)
			continue;
		assert_string_equal(query,
		                    json_string_value(json_object_get(variable, "definition")));
		n += check_expr(query, NULL);
	}
	assert_int_equal(n, 2);
}

static bool is_left_out(const char *name)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		if (!strcmp(left_out[i], name))
			return true;
	return false;
}

/* After dashboard_fits(). */
static void nothing_is_forgotten(void **state)
{
	const char *name;
	json_t *family;

	(void)state;
	json_object_foreach (families, name, family) {
		if ((json_object_get(used, name) == NULL) == is_left_out(name))
			continue;
		fail_msg("%s is %s", name,
		         is_left_out(name) ? "in the dashboard, though it was left out"
		                           : "in no panel, and not left out on purpose");
	}
	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		assert_non_null(exposition_type(families, left_out[i], strlen(left_out[i])));
}

/* ---- the alerts ---- */

/* A rule as it is written there: each of these on a line of its own. */
static const char *const parts[] = {"- alert: ",  "expr: ",       "for: ",     "labels:",
                                    "severity: ", "annotations:", "summary: ", "description: "};
#define PARTS (sizeof(parts) / sizeof(*parts))

/* {{ $labels.instance }} */
static void check_template(const char *text)
{
	char label[64];

	while ((text = strstr(text, "$labels."))) {
		text += strlen("$labels.");
		snprintf(label, sizeof(label), "%.*s", (int)strspn(text, NAME), text);
		if (!has_label(NULL, label))
			fail_msg("an alert tells of the label %s, which nothing has", label);
	}
}

static void alerts_fit(void **state)
{
	FILE *f = fopen(EXAMPLES "/prometheus-alerts.yml", "r");
	char line[LINE_LEN];
	size_t part = PARTS, rules = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		const char *at = line + strspn(line, " ");

		line[strcspn(line, "\n")] = 0;
		if (!*at || *at == '#' || !strcmp(line, "groups:") ||
		    !strcmp(line, "  - name: turnpike") || !strcmp(line, "    rules:"))
			continue;
		part = part == PARTS ? 0 : part;
		if (strncmp(at, parts[part], strlen(parts[part])) != 0)
			fail_msg("\"%s\" stands where %s belongs", line, parts[part]);
		at += strlen(parts[part]);
		if (part == 1 && !check_expr(at, NULL) && strncmp(at, "up{", 3) != 0)
			fail_msg("%s: no metric of ours", at);
		check_template(at);
		rules += part++ == 0;
	}
	fclose(f);
	assert_int_equal(part, PARTS);
	assert_true(rules > 6);
}

/* Its expression; *n of "name == n". */
static void find_rule(const char *alert, char name[80], double *n)
{
	FILE *f = fopen(EXAMPLES "/prometheus-alerts.yml", "r");
	char line[LINE_LEN], wanted[80];
	bool found = false;
	int end = 0;

	assert_non_null(f);
	snprintf(wanted, sizeof(wanted), "- alert: %s\n", alert);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, wanted);
	if (!found || !fgets(line, sizeof(line), f) ||
	    sscanf(line, " expr: %79[a-z_] == %lf\n%n", name, n, &end) != 2 || line[end])
		fail_msg("no alert %s on what a gauge is", alert);
	fclose(f);
}

/* What the alert's gauge is says so. */
static bool fires(const char *alert)
{
	json_t *now = exposition_of(&server);
	double n, is;
	char name[80];

	find_rule(alert, name, &n);
	is = exposition_value(now, name);
	json_decref(now);
	return is == n;
}

static void alerts_on_states_fire(void **state)
{
	static const struct {
		const char *alert, *file, *into, *out;
	} rows[] = {
	    {"TurnpikeDrainsTooLong", "", "drain", "drain cancel"},
	    {"TurnpikeReloadRefused", "relay_ports = none\n", "reload", "reload"},
	    {"TurnpikeNoSecret", "", "secret retire 1", "secret add"},
	};
	char *said;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		SOON(!fires(rows[i].alert));
		configure(rows[i].file);
		if (rig_try_verb(&server, rows[i].into, NULL, &said) != (*rows[i].file ? 1 : 0))
			rig_fail(said, said, "%s", rows[i].into);
		free(said);
		SOON(fires(rows[i].alert));
		configure("");
		free(rig_verb(&server, rows[i].out, NULL));
		SOON(!fires(rows[i].alert));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dashboard_is_of_grafana),
	    cmocka_unit_test(dashboard_fits),
	    cmocka_unit_test(nothing_is_forgotten),
	    cmocka_unit_test(variables_fit),
	    cmocka_unit_test(alerts_fit),
	    cmocka_unit_test(alerts_on_states_fire),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
