/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shared by the tests of webhooks: a folder, a configuration, a receiver and the thread.
 */
#ifndef DAEMON_TESTS_HOOKS_SCENE_H
#define DAEMON_TESTS_HOOKS_SCENE_H

#include "base/tests/test.h"

#include "daemon/hooks/hooks.h"
#include "daemon/tests/receiver.h"

#include <event2/event.h>

#define KEY_A     "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define KEY_A_HEX "3031323334353637383930313233343536373839303132333435363738393031"
#define KEY_B     "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
#define KEY_B_HEX "6162636465666768696a6b6c6d6e6f707172737475767778797a616263646566"

struct scene {
	char dir[32];
	struct event_base *base;
	struct hooks_answer answers[300];
	size_t answer_n;
	struct conf conf;
	struct hooks *hooks;
	struct receiver *receiver;
	char url[64];
};

/* For cmocka: *state is a struct scene, with a receiver, and nothing started. */
int scene_setup(void **state);
int scene_teardown(void **state);

/* Starts with the receiver as webhook_url. keys: webhook_secret. Options are split at blanks. */
void scene_start(struct scene *s, const char *keys, const char *options);
/* Only with what the options say. */
void scene_start_bare(struct scene *s, const char *keys, const char *options);
void scene_reload(struct scene *s, const char *keys, const char *options);
void scene_stop(struct scene *s);

/* What the options say, into s->conf. */
void scene_read(struct scene *s, const char *keys, const char *options);

/* Tells that user i has joined; and who has, by a post. */
void scene_tell(struct scene *s, int i);
int scene_who(const struct receiver_post *p);

json_t *scene_body(const struct receiver_post *p);
struct hook_url_state scene_state(struct scene *s, size_t i);
struct hooks_stats scene_stats(struct scene *s);

/* What the signature must be, by a program that shares no code with us. */
void scene_sign(const struct scene *s, const struct receiver_post *p, const char *hex_key,
                char out[64]);

#endif
