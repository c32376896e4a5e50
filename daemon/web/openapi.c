/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The description of the HTTP interface.
 */
#include "daemon/web/openapi.h"

EMBED(openapi_json, "openapi.json")

const struct embed_file openapi_file = {"/openapi.json", "application/json", openapi_json,
                                        openapi_json_end};
