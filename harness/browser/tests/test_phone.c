/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The call page on a phone, upright and on its side: everything is on the
 * screen, can be hit by a finger, and the picture has most of it.
 */
#include "harness/browser/tests/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define FILE_SIZE (64 * 1024)

static json_t *page_file(const char *name)
{
	char path[PATH_MAX], text[FILE_SIZE];
	json_t *s = NULL;
	FILE *f;

	snprintf(path, sizeof(path), PAGE_DIR "/%s", name);
	f = fopen(path, "re");
	if (f) {
		s = json_stringn(text, fread(text, 1, sizeof(text), f));
		fclose(f);
	}
	return s;
}

/* A frame has the screen of a phone for the page in it, media queries and all. Its script would
 * look for a server: what it shows is put there by hand. */
static const char frame_js[] =
    "window.show = (w, h, view, call) => new Promise(done => {"
    " const f = document.createElement('iframe');"
    " f.style.cssText = `border: 0; width: ${w}px; height: ${h}px`;"
    " f.onload = () => {"
    "  const d = f.contentDocument;"
    "  d.body.dataset.view = view;"
    "  d.querySelector('#own-name').textContent = 'a name that is longer than most';"
    "  d.querySelector('#users').innerHTML = '<li><span class=self>me</span></li>' +"
    "   '<li><button data-name=a><span class=avatar>A</span><span class=who>laptop</span>"
    "<span class=do>Call</span></button></li>';"
    "  d.querySelector('#alone').hidden = true;"
    "  d.querySelector('#stage').dataset.call = call;"
    "  d.querySelector('#route').hidden = call === 'idle';"
    "  d.querySelector('#route').textContent = 'relayed on their side · 120 ms';"
    "  d.querySelector('#call-state').textContent = 'connected: laptop';"
    "  f.contentWindow.requestAnimationFrame(() => done(judge(f)));"
    " };"
    " f.srcdoc = html.replace(/<link rel=.stylesheet.*?>/, () => `<style>${css}</style>`)"
    "  .replace(/<script.*?<\\/script>/, '');"
    " document.body.replaceChildren(f);"
    "});"
    "window.judge = f => {"
    " const d = f.contentDocument, w = f.contentWindow, said = [];"
    " const box = e => e.getBoundingClientRect();"
    " const within = (a, b) => a.left >= b.left - .5 && a.top >= b.top - .5 &&"
    "  a.right <= b.right + .5 && a.bottom <= b.bottom + .5;"
    " const screen = new DOMRect(0, 0, w.innerWidth, w.innerHeight);"
    " if (d.documentElement.scrollWidth > w.innerWidth) said.push('wider than the screen');"
    " if (d.documentElement.scrollHeight > w.innerHeight) said.push('higher than the screen');"
    " for (const e of d.querySelectorAll('button, input')) {"
    "  const b = box(e), what = e.id || e.dataset.name;"
    "  if (!b.width) continue;"
    "  if (!within(b, screen)) said.push(what + ' is off the screen');"
    "  if (b.width < 44 || b.height < 44) said.push(what + ' is too small for a finger');"
    "  const hit = d.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2);"
    "  if (hit !== e && !e.contains(hit)) said.push(what + ' is covered');"
    " }"
    " const stage = d.querySelector('#stage'), own = d.querySelector('#local_video');"
    " if (box(stage).height && box(stage).height < .4 * w.innerHeight)"
    "  said.push('the picture is low: ' + box(stage).height);"
    " if (box(own).width && !within(box(own), box(stage))) said.push('the own picture is cut');"
    " return said.join('; ');"
    "};";

static int setup(void **state)
{
	json_t *files = json_pack("[oo]", page_file("index.html"), page_file("style.css"));
	char *texts = files ? json_dumps(files, JSON_COMPACT) : NULL, *js = NULL;

	(void)state;
	if (!texts || asprintf(&js, "[window.html, window.css] = %s; %s", texts, frame_js) < 0 ||
	    page_start(BROWSER_CHROMIUM, NULL) != 0)
		return -1;
	json_decref(page_value(js));
	json_decref(files);
	free(texts);
	free(js);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return page_stop();
}

static void looks_well(const char *view, const char *call)
{
	static const int screens[][2] = {
	    {390, 844}, {320, 568}, {844, 390}, {667, 375}, {768, 1024}};
	char js[128];

	for (size_t i = 0; i < sizeof(screens) / sizeof(*screens); i++) {
		snprintf(js, sizeof(js), "show(%d, %d, '%s', '%s')", screens[i][0], screens[i][1],
		         view, call);
		page_is(js, "\"\"");
	}
}

static void test_sign_in(void **state)
{
	(void)state;
	looks_well("sign-in", "idle");
}

static void test_home(void **state)
{
	(void)state;
	looks_well("home", "idle");
}

static void test_call(void **state)
{
	(void)state;
	looks_well("home", "connected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sign_in),
	    cmocka_unit_test(test_home),
	    cmocka_unit_test(test_call),
	};

	return cmocka_run_group_tests_name("the page on a phone", tests, setup, teardown);
}
