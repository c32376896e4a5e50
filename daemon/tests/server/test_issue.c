/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Credentials over HTTP from the real server: each shape that foreign clients ask for, the callers'
 * rights, the rates, and the pages. An issued credential opens an allocation; one revoked over HTTP
 * opens none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"
#include "store/credential.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SERVER4 RIG_SERVER4 ":3478"
#define URL     "http://" SERVER4
#define OPTIONS                                                                                    \
	"--workers 2 --relay-ports 50000-54999 --issue-rate-address 5 --issue-rate-token 60 "      \
	"--max-credential-ttl 7200 --credential-ttl 3600 "                                         \
	"--cors-origin https://app.example.org --listen " SERVER4
#define SECRET "the-north-remembers-0123456789"

static struct rig_server server;
static char issuer[RIG_TOKEN_MAX], admin[RIG_TOKEN_MAX], meter[RIG_TOKEN_MAX];

static int setup(void **state)
{
	*state = &server;
	rig_server_prepare(&server, "issue");
	free(rig_verb(&server, "secret add --value-stdin", SECRET "\n"));
	rig_token_add(&server, issuer, "issue --scope issue");
	rig_token_add(&server, admin, "admin --scope admin");
	rig_token_add(&server, meter, "metrics --scope metrics");
	rig_server_start(&server, "issue", OPTIONS);
	return 0;
}

/* An exchange: the status, and the whole answer in *out for free(). more: lines of curl's
 * configuration; api_token may be NULL. */
static int http(const char *method, const char *path, const char *api_token, const char *more,
                char **out)
{
	char config[1024], *at;

	snprintf(config, sizeof(config), "url = \"%s%s\"\nrequest = \"%s\"\n%s%s%s%s%s", URL, path,
	         method, !strcmp(method, "HEAD") ? "head\n" : "",
	         api_token ? "header = \"Authorization: Bearer " : "", api_token ? api_token : "",
	         api_token ? "\"\n" : "", more);
	*out = rig_run("curl -s -i -g --max-time 10 -K -", config);
	at = strchr(*out, ' ');
	assert_non_null(at);
	return atoi(at);
}

static int status_of(const char *path, const char *bearer)
{
	char *said;
	int status = http("GET", path, bearer, "", &said);

	free(said);
	return status;
}

static json_t *body_of(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	json_t *value = body ? json_loads(body + 4, 0, NULL) : NULL;

	if (!value)
		fail_msg("no JSON in: %s", answer);
	return value;
}

static void opens(json_t *object, const char *password)
{
	assert_int_equal(talker_try(SERVER4, json_string_value(json_object_get(object, "username")),
	                            json_string_value(json_object_get(object, password))),
	                 0);
}

static bool has_user(json_t *object, const char *name)
{
	const char *user = json_string_value(json_object_get(object, "username"));

	return user && strchr(user, ':') && !strcmp(strchr(user, ':') + 1, name);
}

static void draft(void **state)
{
	static const char *const paths[] = {"/?service=turn&username=", "/turn?username="};
	char path[256], form[256], *said;
	json_t *value;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		static const char *const keys[] = {"key", "api"};

		for (size_t k = 0; k < 2; k++) {
			snprintf(path, sizeof(path), "%sann&%s=%s", paths[i], keys[k], issuer);
			assert_int_equal(http("GET", path, NULL, "", &said), 200);
			assert_non_null(strstr(said, "Cache-Control: no-store\r\n"));
			value = body_of(said);
			assert_true(has_user(value, "ann"));
			assert_true(json_is_integer(json_object_get(value, "ttl")));
			assert_int_equal(json_integer_value(json_object_get(value, "ttl")), 3600);
			assert_true(json_array_size(json_object_get(value, "uris")) > 0);
			opens(value, "password");
			json_decref(value);
			free(said);
		}
	}
	/* Janus: a POST with both names of the key */
	snprintf(form, sizeof(form), "data = \"service=turn&username=jan&api=%s&key=%s\"\n", issuer,
	         issuer);
	assert_int_equal(http("POST", "/", NULL, form, &said), 200);
	value = body_of(said);
	assert_true(has_user(value, "jan"));
	opens(value, "password");
	json_decref(value);
	free(said);
	assert_int_equal(http("GET", "/turn?username=bea&ttl=60", issuer, "", &said), 200);
	assert_non_null(strstr(said, "\"ttl\":60"));
	free(said);
	assert_int_equal(http("GET", "/turn?ttl=0", issuer, "", &said), 400);
	free(said);
	assert_int_equal(http("POST", "/turn", issuer, "data = \"username=a%0Ab\"\n", &said), 400);
	free(said);
	assert_int_equal(http("POST", "/turn", issuer, "data = \"username=%FF\"\n", &said), 400);
	free(said);
	assert_int_equal(http("GET", "/turn?username=%FF", issuer, "", &said), 400);
	free(said);
}

static void others(void **state)
{
	char path[256], *said;
	json_t *value, *servers, *last;

	(void)state;
	/* Cloudflare */
	assert_int_equal(http("POST", "/v1/turn/keys/any/credentials/generate-ice-servers", issuer,
	                      "data = \"{\\\"ttl\\\":600,\\\"customIdentifier\\\":\\\"cf\\\"}\"\n",
	                      &said),
	                 201);
	value = body_of(said);
	servers = json_object_get(value, "iceServers");
	assert_true(json_array_size(servers) >= 2);
	last = json_array_get(servers, json_array_size(servers) - 1);
	assert_true(has_user(last, "cf"));
	opens(last, "credential");
	json_decref(value);
	free(said);
	assert_int_equal(
	    http("POST", "/v1/turn/keys/any/credentials/generate", issuer, "data = \"\"\n", &said),
	    201);
	value = body_of(said);
	opens(json_object_get(value, "iceServers"), "credential");
	json_decref(value);
	free(said);
	/* Metered */
	snprintf(path, sizeof(path), "/api/v1/turn/credentials?apiKey=%s", issuer);
	assert_int_equal(http("GET", path, NULL, "", &said), 200);
	value = body_of(said);
	assert_true(json_is_array(value));
	opens(json_array_get(value, json_array_size(value) - 1), "credential");
	json_decref(value);
	free(said);
	/* Matrix */
	assert_int_equal(http("GET", "/_matrix/client/v3/voip/turnServer", issuer, "", &said), 200);
	value = body_of(said);
	assert_true(json_is_array(json_object_get(value, "uris")));
	opens(value, "password");
	json_decref(value);
	free(said);
	/* WHIP: a name that needs quoting stays one name */
	assert_int_equal(http("OPTIONS", "/whip?username=w%22%5Cx", issuer, "", &said), 204);
	assert_non_null(strstr(said, "Link: <turn:" RIG_SERVER4 ":3478?transport=udp>; "
	                             "rel=\"ice-server\"; username=\""));
	assert_non_null(strstr(said, ":w\\\"\\\\x\"; credential=\""));
	assert_non_null(strstr(said, "; credential-type=\"password\"\r\n"));
	assert_non_null(strstr(said, "Cache-Control: no-store"));
	free(said);
}

/* Each shape says what it gave, and above the maximum that it gave less. */
static void ttl_is_told(void **state)
{
	static const struct {
		const char *method, *path, *body;
		bool in_body;
	} shapes[] = {
	    {"GET", "/turn?ttl=%d", "", true},
	    {"GET", "/?service=turn&ttl=%d", "", true},
	    {"GET", "/_matrix/client/v3/voip/turnServer?ttl=%d", "", true},
	    {"POST", "/api/v1/ice-servers", "data = \"{\\\"ttl\\\":%d}\"\n", true},
	    {"POST", "/v1/turn/keys/k/credentials/generate-ice-servers",
	     "data = \"{\\\"ttl\\\":%d}\"\n", true},
	    {"POST", "/v1/turn/keys/k/credentials/generate", "data = \"{\\\"ttl\\\":%d}\"\n", true},
	    {"GET", "/api/v1/turn/credentials?ttl=%d", "", false},
	    {"GET", "/whip?ttl=%d", "", false},
	    {"HEAD", "/whep?ttl=%d", "", false},
	};
	char path[128], body[128], *said;

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		for (int ttl = 600; ttl <= 99999; ttl += 99399) {
			snprintf(path, sizeof(path), shapes[i].path, ttl);
			snprintf(body, sizeof(body), shapes[i].body, ttl);
			assert_in_range(http(shapes[i].method, path, issuer, body, &said), 200,
			                204);
			if (!strstr(said, ttl == 600 ? "\r\nTurnpike-Credential-Ttl: 600\r\n"
			                             : "\r\nTurnpike-Credential-Ttl: 7200; "
			                               "requested=99999\r\n"))
				fail_msg("%s: %s", path, said);
			if (shapes[i].in_body &&
			    (!strstr(said, ttl == 600 ? "\"ttl\":600" : "\"ttl\":7200") ||
			     !strstr(said, "\"ttl_requested\":99999") == (ttl == 99999)))
				fail_msg("%s: %s", path, said);
			free(said);
		}
	}
	said = rig_verb(&server, "credentials ann --ttl 60", NULL);
	assert_non_null(strstr(said, "\"ttl\": 60"));
	free(said);
	assert_int_not_equal(rig_try_verb(&server, "credentials ann --ttl 99999999", NULL, &said),
	                     0);
	assert_non_null(strstr(said, "max_credential_ttl"));
	free(said);
}

static void unknown_members(void **state)
{
	static const struct {
		const char *method, *path, *body, *name;
	} bad[] = {
	    {"POST", "/api/v1/ice-servers", "{\\\"tll\\\":1}", "tll"},
	    {"POST", "/api/v1/ice-servers", "{\\\"ttl\\\":60,\\\"name\\\":1}", "name"},
	    {"POST", "/api/v1/ice-servers?ttl=60", "{}", "ttl"},
	    {"POST", "/v1/turn/keys/k/credentials/generate", "{\\\"user\\\":\\\"a\\\"}", "user"},
	    {"GET", "/turn?usrename=ann", NULL, "usrename"},
	    {"GET", "/turn?username=ann&x", NULL, "x"},
	    {"GET", "/turn?username=ann&&=x", NULL, "="},
	    {"GET", "/?service=turn&TTL=60", NULL, "TTL"},
	    {"POST", "/turn", "username=ann&foo=bar", "foo"},
	    {"POST", "/turn", "{\\\"username\\\":\\\"ann\\\"}", "{\"username\":\"ann\"}"},
	    {"GET", "/whip?u=1", NULL, "u"},
	    {"GET", "/api/v1/turn/credentials?region=eu", NULL, "region"},
	    {"GET", "/turn?ttl=60&ttl=61", NULL, "ttl"},
	    {"POST", "/turn", "ttl=60&ttl=61", "ttl"},
	    {"POST", "/api/v1/revoke", "{\\\"user\\\":\\\"a\\\",\\\"when\\\":1}", "when"},
	    {"POST", "/v1/turn/keys/k/credentials/9:a/revoke", "{\\\"all\\\":1}", "all"},
	    {"GET", "/api/v1/admin/sessions?limt=1", NULL, "limt"},
	    {"GET", "/api/v1/admin/whoami?x=1", NULL, "x"},
	    {"POST", "/api/v1/admin/user/add?name=x", "{}", "name"},
	    {"POST", "/api/v1/admin/user/add", "{\\\"nmae\\\":\\\"x\\\"}", "nmae"},
	    {"POST", "/api/v1/admin/logout?x=1", "{}", "x"},
	};
	char more[256], *said;
	json_t *value, *error;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(more, sizeof(more), bad[i].body ? "data = \"%s\"\n" : "", bad[i].body);
		if (http(bad[i].method, bad[i].path, admin, more, &said) != 400)
			fail_msg("%s: %s", bad[i].path, said);
		value = body_of(said);
		error = json_object_get(value, "error");
		assert_true(json_is_string(json_object_get(error, "code")));
		assert_string_equal(json_string_value(json_object_get(error, "member")),
		                    bad[i].name);
		json_decref(value);
		free(said);
	}
}

/* "localhost" is the asker's own machine: a client elsewhere is never sent there. */
static void no_localhost(void **state)
{
	static const char *const hosts[] = {"localhost:3478", "127.0.0.1", "[::1]:80"};
	struct rig_server wild;
	char more[256], token[RIG_TOKEN_MAX], *said;

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		snprintf(more, sizeof(more), "header = \"Host: %s\"\n", hosts[i]);
		assert_int_equal(http("GET", "/turn", issuer, more, &said), 200);
		assert_non_null(strstr(said, "\"turn:" RIG_SERVER4 ":3478"));
		free(said);
	}
	/* Where nothing better is known, it says what to set. */
	rig_server_prepare(&wild, "wild");
	rig_token_add(&wild, token, "issue --scope issue");
	rig_server_start(&wild, "wild", "--workers 1 --listen 0.0.0.0:3479");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		snprintf(more, sizeof(more),
		         "url = \"http://127.0.0.1:3479/turn?key=%s\"\nheader = \"Host: %s\"\n",
		         token, hosts[i]);
		said = rig_run("curl -s -i -g --max-time 10 -K -", more);
		assert_non_null(strstr(said, "HTTP/1.1 503 "));
		assert_non_null(strstr(said, "\"no-public-host\""));
		assert_non_null(strstr(said, "public_host"));
		free(said);
	}
	rig_server_stop(&wild);
}

static void who_may(void **state)
{
	char *said, brief[RIG_TOKEN_MAX];

	(void)state;
	assert_int_equal(http("GET", "/turn", NULL, "", &said), 401);
	assert_non_null(strstr(said, "{\"error\":{\"code\":\"unauthorized\""));
	free(said);
	assert_int_equal(http("GET", "/turn", "tp_wrong", "", &said), 401);
	free(said);
	assert_int_equal(http("GET", "/turn", meter, "", &said), 403);
	assert_non_null(strstr(said, "\"wrong-scope\""));
	free(said);
	assert_int_equal(http("GET", "/turn", admin, "", &said), 200);
	free(said);
	assert_int_equal(http("GET", "/metrics", issuer, "", &said), 403);
	free(said);
	assert_int_equal(http("GET", "/metrics", meter, "", &said), 200);
	assert_non_null(strstr(said, "\nturnpike_credentials_denied_total "));
	free(said);
	/* a token that ends */
	rig_token_add(&server, brief, "--scope issue --expires 1s");
	SOON(status_of("/turn", brief) == 401);
	/* Its use was noted. */
	said = rig_verb(&server, "token list", NULL);
	assert_non_null(strstr(said, "admin"));
	free(said);
}

static void pages(void **state)
{
	static const char good[] = "header = \"Origin: https://app.example.org\"\n";
	static const char bad[] = "header = \"Origin: https://evil.example.org\"\n";
	static const char asks[] = "header = \"Origin: https://app.example.org\"\n"
	                           "header = \"Access-Control-Request-Method: GET\"\n"
	                           "header = \"Access-Control-Request-Headers: authorization\"\n";
	static const char evil_asks[] = "header = \"Origin: https://app.example.org.evil.org\"\n"
	                                "header = \"Access-Control-Request-Method: GET\"\n";
	char *said;

	(void)state;
	assert_int_equal(http("GET", "/turn", issuer, good, &said), 200);
	assert_non_null(strstr(said, "Access-Control-Allow-Origin: https://app.example.org\r\n"));
	assert_non_null(strstr(said, "Vary: Origin\r\n"));
	free(said);
	assert_int_equal(http("GET", "/turn", issuer, bad, &said), 403);
	assert_non_null(strstr(said, "foreign-origin"));
	assert_null(strstr(said, "Access-Control"));
	free(said);
	assert_int_equal(http("OPTIONS", "/turn", NULL, asks, &said), 204);
	assert_non_null(strstr(said, "Access-Control-Allow-Headers: Authorization, Content-Type"));
	assert_non_null(strstr(said, "Access-Control-Allow-Methods: GET, HEAD, POST\r\n"));
	free(said);
	assert_int_equal(http("OPTIONS", "/turn", NULL, evil_asks, &said), 403);
	assert_null(strstr(said, "Access-Control"));
	free(said);
	assert_int_equal(http("GET", "/turn", NULL, good, &said), 401); /* no key is no key */
	assert_non_null(strstr(said, "Access-Control-Allow-Origin"));
	free(said);
	assert_int_equal(http("GET", "/healthz", NULL, good, &said), 200);
	assert_null(strstr(said, "Access-Control"));
	free(said);
}

static void taken_back(void **state)
{
	char path[256], more[160], *said;
	char user[64], password[64];
	json_t *value;

	(void)state;
	assert_int_equal(http("GET", "/turn?username=zoe", issuer, "", &said), 200);
	value = body_of(said);
	snprintf(user, sizeof(user), "%s", json_string_value(json_object_get(value, "username")));
	snprintf(password, sizeof(password), "%s",
	         json_string_value(json_object_get(value, "password")));
	json_decref(value);
	free(said);
	assert_int_equal(talker_try(SERVER4, user, password), 0);
	snprintf(path, sizeof(path), "/v1/turn/keys/any/credentials/%s/revoke", user);
	assert_int_equal(http("POST", path, NULL, "data = \"\"\n", &said), 401);
	free(said);
	assert_int_equal(http("POST", path, meter, "data = \"\"\n", &said), 403);
	free(said);
	assert_int_equal(http("POST", path, issuer, "data = \"\"\n", &said), 204);
	free(said);
	SOON(talker_try(SERVER4, user, password) == 401);
	/* all of a user is an admin's business */
	snprintf(more, sizeof(more), "data = \"{\\\"user\\\":\\\"zoe\\\"}\"\n");
	assert_int_equal(http("POST", "/api/v1/revoke", issuer, more, &said), 403);
	free(said);
	assert_int_equal(http("POST", "/api/v1/revoke", admin, more, &said), 204);
	free(said);
	assert_int_equal(http("POST", "/api/v1/revoke", admin, "data = \"{}\"\n", &said), 400);
	free(said);
	snprintf(more, sizeof(more), "data = \"{\\\"username\\\":\\\"zoe\\\"}\"\n");
	assert_int_equal(http("POST", "/api/v1/revoke", admin, more, &said), 400);
	free(said);
	/* A new one for zoe opens at once, though all that she had are revoked. */
	assert_int_equal(http("GET", "/turn?username=zoe&ttl=1800", issuer, "", &said), 200);
	value = body_of(said);
	opens(value, "password");
	json_decref(value);
	free(said);
	said = rig_verb(&server, "audit", NULL);
	assert_non_null(strstr(said, " admin\trevoke user\tzoe\n"));
	free(said);
}

/* Last: it uses up what there is. */
static void not_too_many(void **state)
{
	char *said, *retry;
	int code = 0, n = 0;

	(void)state;
	for (; n < 300 && code != 429; n++) {
		code = http("GET", "/turn", issuer, "", &said);
		if (code != 429)
			free(said);
	}
	assert_int_equal(code, 429);
	retry = strstr(said, "\r\nRetry-After: ");
	assert_non_null(retry);
	assert_in_range(atoi(retry + 15), 1, 60);
	assert_non_null(strstr(said, "{\"error\":{\"code\":\"rate-limited\""));
	free(said);
	assert_int_equal(http("GET", "/turn", admin, "", &said), 200); /* another's is another's */
	free(said);
	assert_int_equal(http("GET", "/metrics", meter, "", &said), 200);
	assert_null(strstr(said, "\nturnpike_credentials_rate_limited_total 0\n"));
	free(said);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(draft),        cmocka_unit_test(others),
	    cmocka_unit_test(ttl_is_told),  cmocka_unit_test(unknown_members),
	    cmocka_unit_test(no_localhost), cmocka_unit_test(who_may),
	    cmocka_unit_test(pages),        cmocka_unit_test(taken_back),
	    cmocka_unit_test(not_too_many),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, setup, rig_server_end);
}
