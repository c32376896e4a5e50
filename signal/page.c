/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pages' files, built into the program.
 */
#include "signal/page.h"

EMBED(page_index_html, "index.html")
EMBED(page_style_css, "style.css")
EMBED(page_app_js, "app.js")
EMBED(page_turnpike_js, "turnpike.js")
EMBED(page_signaling_js, "signaling.js")
EMBED(page_base_js, "base.js")
EMBED(page_session_js, "session.js")
EMBED(page_ice_js, "ice.js")
EMBED(page_icon_svg, "icon.svg")
EMBED(page_check_html, "check.html")
EMBED(page_check_css, "check.css")
EMBED(page_check_js, "check.js")
EMBED(page_check_words_js, "check-words.js")
EMBED(page_probe_js, "probe.js")

static const struct embed_file files[] = {
    {"/", EMBED_HTML, page_index_html, page_index_html_end},
    {"/index.html", EMBED_HTML, page_index_html, page_index_html_end},
    {"/style.css", EMBED_CSS, page_style_css, page_style_css_end},
    {"/app.js", EMBED_JS, page_app_js, page_app_js_end},
    {"/turnpike.js", EMBED_JS, page_turnpike_js, page_turnpike_js_end},
    {"/signaling.js", EMBED_JS, page_signaling_js, page_signaling_js_end},
    {"/base.js", EMBED_JS, page_base_js, page_base_js_end},
    {"/session.js", EMBED_JS, page_session_js, page_session_js_end},
    {"/ice.js", EMBED_JS, page_ice_js, page_ice_js_end},
    {"/icon.svg", EMBED_SVG, page_icon_svg, page_icon_svg_end},
    {"/check", EMBED_HTML, page_check_html, page_check_html_end},
    {"/check.css", EMBED_CSS, page_check_css, page_check_css_end},
    {"/check.js", EMBED_JS, page_check_js, page_check_js_end},
    {"/check-words.js", EMBED_JS, page_check_words_js, page_check_words_js_end},
    {"/probe.js", EMBED_JS, page_probe_js, page_probe_js_end},
};

const struct embed_file *page_find(const char *path)
{
	return embed_find(files, sizeof(files) / sizeof(*files), path);
}
