/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the page script sees of media, in a real browser and without a network.
 */
#include "harness/browser/browser.h"
#include "harness/lab/proc.h"
#include "harness/scenarios/inject.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STEP_MS 20000

/* As long as a scenario watches. The connection is a stub: only the stream is looked at here. */
#define WATCH                                                                                      \
	"(async stop_after => {"                                                                   \
	"  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});"  \
	"  const video = document.querySelector('#received_video');"                               \
	"  video.srcObject = stream;"                                                              \
	"  await video.play();"                                                                    \
	"  harness.connections.push({errors: [], pc: {connectionState: 'connected',"               \
	"    signalingState: 'stable', getStats: async () => new Map()}});"                        \
	"  if (stop_after)"                                                                        \
	"    setTimeout(() => stream.getTracks().forEach(t => t.stop()), stop_after);"             \
	"  return harness.observe(2500);"                                                          \
	"})"

struct scene {
	struct browser *browser;
	char folder[64];
};

static int set_up(void **state)
{
	static const char page[] = "<!doctype html><video id=received_video muted></video>";
	struct scene *s = calloc(1, sizeof(*s));
	struct browser_options opt = {
	    .name = "test", .netns_fd = -1, .console_fd = -1, .stderr_fd = -1};
	char program[PATH_MAX], url[128], *script = NULL;
	struct why why = {""};
	int fd;

	if (!s)
		return -1;
	*state = s;
	snprintf(s->folder, sizeof(s->folder), "/tmp/turnpike-browser-XXXXXX");
	if (!mkdtemp(s->folder) || browser_find(BROWSER_CHROMIUM, NULL, program, &why) != 0 ||
	    asprintf(&script, "%s({peer: 90, hz: 600, fps: 10})", inject_js) < 0)
		goto fail;
	/* A file is a secure context, where there are media devices. */
	snprintf(url, sizeof(url), "%s/page.html", s->folder);
	fd = open(url, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, page, sizeof(page) - 1) != (ssize_t)sizeof(page) - 1)
		goto fail;
	close(fd);
	snprintf(url, sizeof(url), "file://%s/page.html", s->folder);
	opt.program = program;
	opt.folder = s->folder;
	opt.script = script;
	if (browser_start(&s->browser, &opt, &why) != 0 ||
	    browser_open(s->browser, url, STEP_MS, &why) != 0)
		goto fail;
	free(script);
	return 0;
fail:
	fprintf(stderr, "%s\n", why.text);
	free(script);
	return -1;
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

static json_t *watch(struct scene *s, int stop_after_ms)
{
	json_t *view = NULL;
	struct why why;
	char js[2048];

	snprintf(js, sizeof(js), WATCH "(%d)", stop_after_ms);
	if (browser_eval(s->browser, js, STEP_MS, &view, &why) != 0)
		fail_msg("%s", why.text);
	return view;
}

static double number(const json_t *view, const char *part, const char *key)
{
	return json_number_value(json_object_get(json_object_get(view, part), key));
}

static void test_lasting_media(void **state)
{
	json_t *view = watch(*state, 0);

	assert_true(number(view, "picture", "peer") == 90);
	assert_true(number(view, "picture", "distinct") >= 2);
	assert_true(number(view, "tone", "hz") > 575 && number(view, "tone", "hz") < 625);
	assert_true(number(view, "tone", "db") > -70);
	json_decref(view);
}

static void test_media_that_stops_while_watched(void **state)
{
	json_t *view = watch(*state, 700);

	assert_true(number(view, "picture", "distinct") < 2);
	assert_true(number(view, "tone", "db") < -70);
	json_decref(view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_lasting_media, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_media_that_stops_while_watched, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
