/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Members of the JSON objects in which pages and servers say what they saw.
 * What is missing, or of another type, is 0 or "".
 */
#ifndef SCENARIOS_FACTS_H
#define SCENARIOS_FACTS_H

#include <jansson.h>
#include <stdio.h>

static inline double facts_number(const json_t *from, const char *key)
{
	return json_number_value(json_object_get(from, key));
}

/* Lives as long as the object. */
static inline const char *facts_text(const json_t *from, const char *key)
{
	const char *text = json_string_value(json_object_get(from, key));

	return text ? text : "";
}

static inline void facts_copy(char *to, size_t size, const json_t *from, const char *key)
{
	snprintf(to, size, "%s", facts_text(from, key));
}

#endif
