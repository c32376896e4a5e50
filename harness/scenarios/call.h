/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The steps of a call between the stage's two pages, as people take them. Each
 * returns 0 or the code of the browser's fault; that a call goes wrong is
 * for the verdict to say.
 */
#ifndef SCENARIOS_CALL_H
#define SCENARIOS_CALL_H

#include "harness/scenarios/stage.h"

#define CALLER LAB_A
#define CALLEE LAB_B

#define CALL_JS_MS    10000 /* for an expression that a page evaluates */
#define CALL_CLICK_MS 10000

/* Both join, A clicks B's name, B answers. answered_at_ms: Unix time of that click. */
int call_place(struct stage *st, double *answered_at_ms, struct why *why);

/* Waits until both ends are connected over a path as expected; not longer than ICE may take. */
int call_await(struct stage *st, const struct call_expect *expect, struct why *why);

/* Waits until picture and sound have begun at both ends; not longer than a few seconds. That they
 * do not is no error here: the verdict says what is wrong. */
int call_await_media(struct stage *st, struct why *why);

/* Both ends look at the call over the same window. */
int call_observe(struct stage *st, int window_ms, struct end_view v[LAB_SIDES], struct why *why);

/* A hangs up; notes it in the result if not both ends come to rest. */
int call_hang_up(struct stage *st, struct why *why);

/* Notes exceptions of the pages in the result. */
void call_check_pages(struct stage *st);

#endif
