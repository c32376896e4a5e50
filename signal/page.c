/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The client page's files, laid into the program by the assembler.
 */
#include "signal/page.h"

#include <string.h>

/* TURNPIKE_PAGE_DIR comes from CMake, which also rebuilds this file when one of them changes. */
#define EMBED(symbol, file)                                                                        \
	__asm__(".section .rodata\n"                                                               \
	        ".global " #symbol "\n"                                                            \
	        ".global " #symbol "_end\n" #symbol ":\n"                                          \
	        ".incbin \"" TURNPIKE_PAGE_DIR "/" file "\"\n" #symbol "_end:\n"                   \
	        ".byte 0\n"                                                                        \
	        ".previous\n");                                                                    \
	extern const unsigned char symbol[], symbol##_end[];

EMBED(page_index_html, "index.html")
EMBED(page_style_css, "style.css")
EMBED(page_app_js, "app.js")
EMBED(page_turnpike_js, "turnpike.js")
EMBED(page_icon_svg, "icon.svg")

static const struct page_file files[] = {
    {"/", "text/html; charset=utf-8", page_index_html, page_index_html_end},
    {"/index.html", "text/html; charset=utf-8", page_index_html, page_index_html_end},
    {"/style.css", "text/css; charset=utf-8", page_style_css, page_style_css_end},
    {"/app.js", "text/javascript; charset=utf-8", page_app_js, page_app_js_end},
    {"/turnpike.js", "text/javascript; charset=utf-8", page_turnpike_js, page_turnpike_js_end},
    {"/icon.svg", "image/svg+xml", page_icon_svg, page_icon_svg_end},
};

const struct page_file *page_find(const char *path)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (!strcmp(files[i].path, path))
			return &files[i];
	}
	return NULL;
}
