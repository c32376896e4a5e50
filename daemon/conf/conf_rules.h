/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the rules between settings. Only for conf_rules.c and conf_unsafe.c.
 */
#ifndef DAEMON_CONF_RULES_H
#define DAEMON_CONF_RULES_H

#include "daemon/conf/conf_internal.h"

struct rules {
	const struct conf *conf;
	const struct conf_source *sources;
	void (*problem)(void *ctx, const char *text);
	void *ctx;
};

/* RULE_WHERE(r, listen): "turnpike.conf:3: listen". RULE_CHOSEN(r, listen): it is no default. */
#define RULE_WHERE(r, option)  ((r)->sources[OPTION_##option].where)
#define RULE_CHOSEN(r, option) ((r)->sources[OPTION_##option].kind != SOURCE_DEFAULT)

__attribute__((format(printf, 2, 3))) void rule_tell(const struct rules *r, const char *fmt, ...);

/* Settings that are dangerous where strangers can reach the server. */
void conf_unsafe(const struct rules *r);

#endif
