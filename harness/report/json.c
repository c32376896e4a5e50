/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The report as JSON, for programs that compare runs.
 */
#include "harness/report/report.h"

#include <jansson.h>

static json_t *result_object(const struct result *r)
{
	json_t *failures = json_array(), *measures = json_object();

	for (size_t i = 0; i < r->failure_n; i++)
		json_array_append_new(failures, json_string(r->failure[i]));
	for (size_t i = 0; i < r->measure_n; i++)
		json_object_set_new(measures, r->measure[i].name,
		                    json_pack("{s:f, s:s}", "value", r->measure[i].value, "unit",
		                              r->measure[i].unit));
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:o, s:o}", "name", r->name, "purpose",
	                 r->purpose, "result", result_state_text(r->state), "duration_ms",
	                 (json_int_t)r->duration_ms, "path", r->path, "failures", failures,
	                 "measures", measures);
}

int report_json(FILE *f, const struct run *run)
{
	json_t *scenarios = json_array(), *top;
	int err = 0;

	for (size_t i = 0; i < run->result_n; i++)
		json_array_append_new(scenarios, result_object(&run->result[i]));
	top = json_pack("{s:s, s:I, s:I, s:I, s:I, s:o}", "version", TURNPIKE_VERSION, "started",
	                (json_int_t)run->started_s, "duration_ms", (json_int_t)run->duration_ms,
	                "total", (json_int_t)run->result_n, "passed",
	                (json_int_t)run_count(run, RESULT_PASSED), "scenarios", scenarios);
	if (!top || json_dumpf(top, f, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0 ||
	    fputc('\n', f) == EOF || fflush(f) != 0)
		err = -E_IO;
	json_decref(top);
	return err;
}
