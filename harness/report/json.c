/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The report as JSON, for programs that compare runs.
 */
#include "harness/report/json.h"

#include "harness/report/report.h"

json_t *json_of_result(const struct result *r)
{
	json_t *failures = json_array(), *measures = json_object();

	for (size_t i = 0; i < r->failure_n; i++)
		json_array_append_new(failures, json_string(r->failure[i]));
	for (size_t i = 0; i < r->measure_n; i++)
		json_object_set_new(measures, r->measure[i].name,
		                    json_pack("{s:f, s:s}", "value", r->measure[i].value, "unit",
		                              r->measure[i].unit));
	return json_pack("{s:s, s:s, s:s, s:[s,s], s:[s,s], s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I,"
	                 " s:i, s:s, s:o, s:o}",
	                 "name", r->name, "group", r->group, "purpose", r->purpose, "kinds",
	                 r->kind[0], r->kind[1], "browsers", r->browser[0], r->browser[1], "target",
	                 r->target, "expected", r->expected, "result", result_state_text(r->state),
	                 "path", r->path, "path_word", result_path_word(r), "step", r->step,
	                 "started_ms", (json_int_t)r->started_ms, "duration_ms",
	                 (json_int_t)r->duration_ms, "tries", (int)r->tries, "played_again",
	                 r->again, "failures", failures, "measures", measures);
}

json_t *json_of_run(const struct run *run)
{
	json_t *counts = json_object(), *facts = json_array();
	char verdict[256];

	for (enum result_state s = 0; s <= RESULT_STATE_LAST; s++)
		json_object_set_new(counts, result_state_text(s),
		                    json_integer((json_int_t)run_count(run, s)));
	for (size_t i = 0; i < run->fact_n; i++)
		json_array_append_new(facts, json_pack("{s:s, s:s}", "name", run->fact[i].name,
		                                       "text", run->fact[i].text));
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "version",
	                 TURNPIKE_VERSION, "verdict", run_verdict(run, verdict, sizeof(verdict)),
	                 "started", (json_int_t)run->started_s, "duration_ms",
	                 (json_int_t)run->duration_ms, "total", (json_int_t)run->result_n, "passed",
	                 (json_int_t)run_count(run, RESULT_PASSED), "played_again",
	                 (json_int_t)run_count_again(run), "counts", counts, "facts", facts);
}

int report_json(FILE *f, const struct run *run)
{
	json_t *scenarios = json_array(), *top = json_of_run(run);
	int err = 0;

	for (size_t i = 0; i < run->result_n; i++)
		json_array_append_new(scenarios, json_of_result(&run->result[i]));
	if (json_object_set_new(top, "scenarios", scenarios) != 0 ||
	    json_dumpf(top, f, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0 ||
	    fputc('\n', f) == EOF || fflush(f) != 0)
		err = -E_IO;
	json_decref(top);
	return err;
}
