/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The status page's files, built into the program.
 */
#include "daemon/web/admin_page.h"

/* The modules of the script: name.js. CMakeLists.txt takes the folder as it is. */
#define MODULES(X)                                                                                 \
	X(access)                                                                                  \
	X(accounts)                                                                                \
	X(api)                                                                                     \
	X(app)                                                                                     \
	X(calls)                                                                                   \
	X(chart)                                                                                   \
	X(dialogs)                                                                                 \
	X(dom)                                                                                     \
	X(overview)                                                                                \
	X(poller)                                                                                  \
	X(series)                                                                                  \
	X(server)                                                                                  \
	X(sessions)                                                                                \
	X(sign_in)                                                                                 \
	X(story)                                                                                   \
	X(table)                                                                                   \
	X(text)                                                                                    \
	X(usage)                                                                                   \
	X(users)

EMBED(admin_page_html, "index.html")
EMBED(admin_page_css, "admin.css")
#define X(name) EMBED(admin_page_##name##_js, #name ".js")
MODULES(X)
#undef X

static const struct embed_file files[] = {
    {"/admin/", EMBED_HTML, admin_page_html, admin_page_html_end},
    {"/admin/admin.css", EMBED_CSS, admin_page_css, admin_page_css_end},
#define X(name)                                                                                    \
	{"/admin/" #name ".js", EMBED_JS, admin_page_##name##_js, admin_page_##name##_js_end},
    MODULES(X)
#undef X
};

const struct embed_file *admin_page_find(const char *path)
{
	return embed_find(files, sizeof(files) / sizeof(*files), path);
}
