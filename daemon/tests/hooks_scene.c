/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The scene of the tests of webhooks.
 */
#include "daemon/tests/hooks_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void scene_read(struct scene *s, const char *keys, const char *options)
{
	char *argv[32] = {"turnpike", "--data", s->dir}, *copy = strdup(options), env[256];
	char *envp[] = {env, NULL};
	struct why why = {{0}};
	int argc = 3;

	snprintf(env, sizeof(env), "TURNPIKE_WEBHOOK_SECRET=%s", keys);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	if (conf_check(&argc, argv, envp, &s->conf, NULL, NULL, &why))
		fail_msg("%s", why.text);
	free(copy);
}

static void on_answer(void *ctx, const struct hooks_answer *answer)
{
	struct scene *s = ctx;

	assert_true(s->answer_n < sizeof(s->answers) / sizeof(*s->answers));
	s->answers[s->answer_n++] = *answer;
}

void scene_start_bare(struct scene *s, const char *keys, const char *options)
{
	struct why why = {{0}};

	scene_read(s, keys, options);
	if (hooks_start(&s->conf, s->base, on_answer, s, &s->hooks, &why))
		fail_msg("%s", why.text);
}

void scene_start(struct scene *s, const char *keys, const char *options)
{
	char all[512];

	snprintf(all, sizeof(all), "--webhook-url %s %s", s->url, options);
	scene_start_bare(s, keys, all);
}

void scene_stop(struct scene *s)
{
	hooks_stop(s->hooks);
	s->hooks = NULL;
	conf_free(&s->conf);
}

void scene_reload(struct scene *s, const char *keys, const char *options)
{
	struct hook_settings *fresh;
	struct why why = {{0}};

	conf_free(&s->conf);
	scene_read(s, keys, options);
	if (hooks_prepare(s->hooks, &s->conf, &fresh, &why))
		fail_msg("%s", why.text);
	hooks_apply(s->hooks, fresh);
}

int scene_setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/turnpike-hooks-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->base = event_base_new();
	assert_non_null(s->base);
	s->receiver = receiver_start(0, NULL, NULL);
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/hook", receiver_port(s->receiver));
	*state = s;
	return 0;
}

int scene_teardown(void **state)
{
	struct scene *s = *state;
	char command[64];
	int r;

	hooks_stop(s->hooks);
	receiver_stop(s->receiver);
	event_base_free(s->base);
	conf_free(&s->conf);
	snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	r = system(command);
	free(s);
	return r;
}

void scene_tell(struct scene *s, int i)
{
	char name[16];

	snprintf(name, sizeof(name), "user%d", i);
	hooks_tell(s->hooks, HOOK_JOINED, json_pack("{ss ss}", "room", "default", "name", name));
}

json_t *scene_body(const struct receiver_post *p)
{
	json_t *body = json_loads(p->body, JSON_REJECT_DUPLICATES, NULL);

	if (!body)
		fail_msg("not JSON: %s", p->body);
	return body;
}

/* The number in the name of who joined. */
int scene_who(const struct receiver_post *p)
{
	json_t *body = scene_body(p);
	int i = -1;

	sscanf(json_string_value(json_object_get(body, "name")), "user%d", &i);
	json_decref(body);
	return i;
}

struct hook_url_state scene_state(struct scene *s, size_t i)
{
	struct hook_url_state states[HOOK_URLS_MAX];

	assert_true(hooks_get_states(s->hooks, states) > i);
	return states[i];
}

struct hooks_stats scene_stats(struct scene *s)
{
	struct hooks_stats stats;

	hooks_get_stats(s->hooks, &stats);
	return stats;
}

/* By a program that shares no code with us. */
void scene_sign(const struct scene *s, const struct receiver_post *p, const char *hex_key,
                char out[64])
{
	char path[64], command[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/signed", s->dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "%s.%s.%s", p->id, p->timestamp, p->body);
	fclose(f);
	snprintf(command, sizeof(command),
	         "openssl dgst -sha256 -mac HMAC -macopt hexkey:%s -binary %s | base64", hex_key,
	         path);
	f = popen(command, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%63s", out), 1);
	pclose(f);
}
