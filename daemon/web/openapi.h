/* SPDX-License-Identifier: BSD-3-Clause
 *
 * docs/openapi.json, built into the program.
 */
#ifndef DAEMON_WEB_OPENAPI_H
#define DAEMON_WEB_OPENAPI_H

#include "base/embed.h"

extern const struct embed_file openapi_file;

#endif
