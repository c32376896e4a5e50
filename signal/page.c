/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pages' files, laid into the program by the assembler.
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
EMBED(page_check_html, "check.html")
EMBED(page_check_css, "check.css")
EMBED(page_check_js, "check.js")
EMBED(page_check_words_js, "check-words.js")
EMBED(page_probe_js, "probe.js")

#define HTML "text/html; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"

static const struct page_file files[] = {
    {"/", HTML, page_index_html, page_index_html_end},
    {"/index.html", HTML, page_index_html, page_index_html_end},
    {"/style.css", CSS, page_style_css, page_style_css_end},
    {"/app.js", JS, page_app_js, page_app_js_end},
    {"/turnpike.js", JS, page_turnpike_js, page_turnpike_js_end},
    {"/icon.svg", "image/svg+xml", page_icon_svg, page_icon_svg_end},
    {"/check", HTML, page_check_html, page_check_html_end},
    {"/check.css", CSS, page_check_css, page_check_css_end},
    {"/check.js", JS, page_check_js, page_check_js_end},
    {"/check-words.js", JS, page_check_words_js, page_check_words_js_end},
    {"/probe.js", JS, page_probe_js, page_probe_js_end},
};

const struct page_file *page_find(const char *path)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (!strcmp(files[i].path, path))
			return &files[i];
	}
	return NULL;
}
