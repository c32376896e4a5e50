/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads as much of OpenAPI 3.0 as docs/openapi.json is written in: makes the
 * request that an operation describes, and says what of an answer is not as
 * described.
 */
#ifndef DAEMON_TESTS_FOREIGN_OPENAPI_H
#define DAEMON_TESTS_FOREIGN_OPENAPI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define OPENAPI_TEXT 2048

struct openapi_answer {
	int status;
	char *head; /* up to and with the empty line; owns the memory of both */
	const char *body;
};

#define OPENAPI_PORT  8080 /* where the server listens, on 127.0.0.1 */
#define OPENAPI_ADMIN "/api/v1/admin/"

/* NULL members are left out. */
struct openapi_request {
	const char *method, *target, *token, *cookie, *type, *body;
	const char *headers; /* more lines, each with CRLF */
};

/* On a connection of its own; fails the test when no HTTP comes back. A proxy seems to speak, so
 * that nobody is taken for local. */
struct openapi_answer openapi_ask(const struct openapi_request *q);

/* Follows a $ref. */
json_t *openapi_deref(json_t *doc, json_t *node);

/* The path with its parameters' examples, and the query. spoil: a parameter that gets the value
 * "-1" instead of its example; NULL for none. */
void openapi_target(json_t *doc, json_t *op, const char *path, const char *spoil,
                    char out[OPENAPI_TEXT]);

/* The body's example and its type; "" for none. */
void openapi_body(json_t *op, char out[OPENAPI_TEXT], const char **type);

/* Whether the operation has such a parameter. */
bool openapi_has_param(json_t *doc, json_t *op, const char *name);

/* Whether a value is what a schema says; if not, says why. */
bool openapi_fits(json_t *doc, json_t *schema, json_t *value, char why[OPENAPI_TEXT]);

/* Whether an answer is one that the operation describes; if not, says why. */
bool openapi_describes(json_t *doc, json_t *op, const struct openapi_answer *a,
                       char why[OPENAPI_TEXT]);

#endif
