/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The call page on a phone, upright and on its side: everything is on the
 * screen, can be hit by a finger, and the picture has most of it.
 */
#include "harness/browser/browser.h"
#include "harness/lab/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STEP_MS   20000
#define FILE_SIZE (64 * 1024)

struct scene {
	struct browser *browser;
	char folder[64];
};

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

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct browser_options opt = {
	    .name = "phone", .netns_fd = -1, .console_fd = -1, .stderr_fd = -1};
	char program[PATH_MAX], *js = NULL, *texts;
	struct why why = {""};
	json_t *files;
	int err = -1;

	if (!s)
		return -1;
	*state = s;
	snprintf(s->folder, sizeof(s->folder), "/tmp/turnpike-browser-XXXXXX");
	if (!mkdtemp(s->folder) || browser_find(BROWSER_CHROMIUM, NULL, program, &why) != 0)
		goto out;
	opt.program = program;
	opt.folder = s->folder;
	files = json_pack("[oo]", page_file("index.html"), page_file("style.css"));
	texts = files ? json_dumps(files, JSON_COMPACT) : NULL;
	if (!texts || asprintf(&js, "[window.html, window.css] = %s; %s", texts, frame_js) < 0)
		goto out;
	json_decref(files);
	free(texts);
	if (browser_start(&s->browser, &opt, &why) == 0 &&
	    browser_eval(s->browser, js, STEP_MS, NULL, &why) == 0)
		err = 0;
out:
	free(js);
	if (err)
		fprintf(stderr, "%s\n", why.text);
	return err;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	const char *const argv[] = {"rm", "-rf", s->folder, NULL};
	int err;

	browser_stop(s->browser);
	err = proc_run(argv, -1, NULL, 10000, NULL);
	free(s);
	return err;
}

static void looks_well(struct scene *s, const char *view, const char *call)
{
	static const int screens[][2] = {
	    {390, 844}, {320, 568}, {844, 390}, {667, 375}, {768, 1024}};
	char js[128];
	struct why why;
	json_t *said;

	for (size_t i = 0; i < sizeof(screens) / sizeof(*screens); i++) {
		snprintf(js, sizeof(js), "show(%d, %d, '%s', '%s')", screens[i][0], screens[i][1],
		         view, call);
		if (browser_eval(s->browser, js, STEP_MS, &said, &why) != 0)
			fail_msg("%s: %s", js, why.text);
		if (!json_is_string(said) || json_string_length(said))
			fail_msg("%s: %s", js, json_string_value(said));
		json_decref(said);
	}
}

static void test_sign_in(void **state)
{
	looks_well(*state, "sign-in", "idle");
}

static void test_home(void **state)
{
	looks_well(*state, "home", "idle");
}

static void test_call(void **state)
{
	looks_well(*state, "home", "connected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sign_in),
	    cmocka_unit_test(test_home),
	    cmocka_unit_test(test_call),
	};

	return cmocka_run_group_tests_name("the page on a phone", tests, set_up, tear_down);
}
