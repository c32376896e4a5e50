/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICE server URIs, their JSON, and which ports they name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "daemon/issue/endpoint.h"
#include "daemon/issue/ice.h"

#include <stdlib.h>
#include <string.h>

static const struct ice_endpoint three[] = {{ICE_UDP, 3478}, {ICE_TCP, 3478}, {ICE_TLS, 443}};

static void assert_json(json_t *value, const char *want)
{
	char *text;

	assert_non_null(value);
	text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
	assert_string_equal(text, want);
	free(text);
	json_decref(value);
}

static struct ice_grant make_grant(void)
{
	struct ice_grant g;

	memset(&g, 0, sizeof(g));
	assert_int_equal(credential_make("north", 5, "alice", 1795326215, &g.credential), 0);
	g.ttl_s = 86400;
	return g;
}

static void a_host_has_a_uri_for_each_transport(void **state)
{
	struct ice_grant g = make_grant();

	(void)state;
	assert_int_equal(ice_grant_add_uris(&g, "turn.example.org", three, 3), 0);
	assert_int_equal(g.uri_n, 4);
	assert_string_equal(g.uri[0], "stun:turn.example.org:3478");
	assert_string_equal(g.uri[1], "turn:turn.example.org:3478?transport=udp");
	assert_string_equal(g.uri[2], "turn:turn.example.org:3478?transport=tcp");
	assert_string_equal(g.uri[3], "turns:turn.example.org:443?transport=tcp");
}

static void every_stun_uri_comes_before_every_turn_uri(void **state)
{
	struct ice_grant g = make_grant();

	(void)state;
	assert_int_equal(ice_grant_add_uris(&g, "turn.example.org", three, 3), 0);
	assert_int_equal(ice_grant_add_uris(&g, "2001:db8::1", three, 1), 0);
	assert_int_equal(g.uri_n, 6);
	assert_string_equal(g.uri[1], "stun:[2001:db8::1]:3478");
	assert_string_equal(g.uri[2], "turn:turn.example.org:3478?transport=udp");
	assert_string_equal(g.uri[5], "turn:[2001:db8::1]:3478?transport=udp");
}

static void a_host_is_added_whole_or_not_at_all(void **state)
{
	struct ice_grant g = make_grant();

	(void)state;
	assert_int_equal(ice_grant_add_uris(&g, "turn.example.org", three, 3), 0);
	assert_int_equal(ice_grant_add_uris(&g, "2001:db8::1", three, 1), 0);
	assert_int_equal(ice_grant_add_uris(&g, "192.0.2.1", three, 3), -E_LIMIT);
	assert_int_equal(g.uri_n, 6);
	assert_int_equal(ice_grant_add_uris(&g, "192.0.2.1", three, 1), 0);
	assert_int_equal(g.uri_n, ICE_URI_MAX);
	assert_int_equal(ice_grant_add_uris(&g, "192.0.2.1", three + 1, 1), -E_LIMIT);
}

static void test_hosts(void **state)
{
	static const char *const bad[] = {
	    "",       "a b", "[::1]", "::1%lo", "evil.org:1?transport=udp",
	    "x\r\ny", "a/b", "a@b",   "\"",     "\xff",
	};
	char longest[300];
	struct ice_grant g = make_grant();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(ice_grant_add_uris(&g, bad[i], three, 3), -E_INVAL);
	assert_int_equal(g.uri_n, 0);
	/* 253 bytes are the longest name; its URI is whole. */
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 50; i < 253; i += 51)
		longest[i] = '.';
	longest[253] = 0;
	assert_int_equal(ice_grant_add_uris(&g, longest, three + 2, 1), 0);
	assert_int_equal(strlen(g.uri[0]), 6 + 253 + strlen(":443?transport=tcp"));
	longest[253] = 'a';
	longest[254] = 0;
	assert_int_equal(ice_grant_add_uris(&g, longest, three, 3), -E_INVAL);
}

static void test_json(void **state)
{
	struct ice_grant g = make_grant();

	(void)state;
	assert_json(ice_grant_servers(&g), "[]");
	assert_int_equal(ice_grant_add_uris(&g, "::1", three, 3), 0);
	assert_json(
	    ice_grant_servers(&g),
	    "[{\"urls\":[\"stun:[::1]:3478\"]},"
	    "{\"urls\":[\"turn:[::1]:3478?transport=udp\","
	    "\"turn:[::1]:3478?transport=tcp\",\"turns:[::1]:443?transport=tcp\"],"
	    "\"username\":\"1795326215:alice\",\"credential\":\"YjW4Yl3+HOKcAkzyBKTw7yCA6rE=\"}]");
	assert_json(ice_grant_rest(&g),
	            "{\"username\":\"1795326215:alice\",\"password\":\"YjW4Yl3+HOKcAkzyBKTw7yCA6rE="
	            "\",\"ttl\":86400,"
	            "\"uris\":[\"turn:[::1]:3478?transport=udp\","
	            "\"turn:[::1]:3478?transport=tcp\",\"turns:[::1]:443?transport=tcp\"]}");
}

/* What the endpoints and the host are for a command line. */
static void assert_endpoints_for(const struct endpoint_for *c, const char *args, const char *want)
{
	static const char *const names[] = {"udp", "tcp", "tls"};
	struct ice_endpoint ep[ENDPOINT_MAX];
	char text[512], *argv[16] = {"turnpike"}, got[512] = "", *save, host[ICE_HOST_STRLEN];
	struct conf conf;
	struct why why;
	int argc = 1;
	size_t n;

	snprintf(text, sizeof(text), "%s", args);
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	if (conf_check(&argc, argv, NULL, &conf, NULL, NULL, &why))
		fail_msg("%s", why.text);
	n = endpoints(&conf, ep);
	strcat(got, endpoint_host(&conf, c, host) ? "refused" : host);
	for (size_t i = 0; i < n; i++)
		sprintf(got + strlen(got), " %s:%u", names[ep[i].transport], ep[i].port);
	assert_string_equal(got, want);
	conf_free(&conf);
}

static void assert_endpoints(const char *args, const char *want)
{
	assert_endpoints_for(&(const struct endpoint_for){.asked = NULL}, args, want);
}

/* "localhost" is somebody else's own machine, and a name that only the proxy knows is nobody's. */
static void test_public_host(void **state)
{
	static const char *const local[] = {"localhost", "LOCALHOST", "localhost.", "a.localhost",
	                                    "127.0.0.1", "127.9.9.9", "::1",        "0.0.0.0",
	                                    "::",        "",          "169.254.1.1"};
	static const char external[] = "--listen 0.0.0.0:1 --external-ip 198.51.100.7";
	struct endpoint_for c = {.asked = NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++) {
		c = (struct endpoint_for){.asked = local[i]};
		assert_endpoints_for(&c, "--listen 0.0.0.0:1", "refused udp:1 tcp:1");
		assert_endpoints_for(&c, external, "198.51.100.7 udp:1 tcp:1");
		assert_endpoints_for(&c, "--listen 0.0.0.0:1 --public-host t.example",
		                     "t.example udp:1 tcp:1");
		assert_endpoints_for(&c, "--listen 192.0.2.1:1", "192.0.2.1 udp:1 tcp:1");
	}
	/* Our own page on this host leads its browser to this host. */
	c = (struct endpoint_for){.asked = "localhost", .here = true};
	assert_endpoints_for(&c, external, "localhost udp:1 tcp:1");
	/* Nobody elsewhere can come to this one. */
	c.here = false;
	assert_endpoints_for(&c, "--listen 127.0.0.1:1", "127.0.0.1 udp:1 tcp:1");
	/* What the client itself has reached us by, is good; what a proxy calls us, is not. */
	c = (struct endpoint_for){.asked = "172.17.0.2"};
	assert_endpoints_for(&c, external, "172.17.0.2 udp:1 tcp:1");
	c.forwarded = true;
	assert_endpoints_for(&c, external, "198.51.100.7 udp:1 tcp:1");
	c.asked = "turnpike";
	assert_endpoints_for(&c, external, "198.51.100.7 udp:1 tcp:1");
	c.asked = "turn.example.org";
	assert_endpoints_for(&c, external, "turn.example.org udp:1 tcp:1");
}

static void test_endpoints(void **state)
{
	(void)state;
	assert_endpoints("", "refused udp:3478 tcp:3478");
	assert_endpoints("--external-ip 198.51.100.7", "198.51.100.7 udp:3478 tcp:3478");
	assert_endpoints("--listen 172.17.0.2:1 --external-ip 198.51.100.7",
	                 "198.51.100.7 udp:1 tcp:1");
	assert_endpoints("--listen 127.0.0.1:1,192.0.2.1:1", "192.0.2.1 udp:1 tcp:1");
	assert_endpoints("--listen 127.0.0.1:0", "127.0.0.1");
	assert_endpoints("--listen 0.0.0.0:1,[::1]:2", "refused udp:1 tcp:1");
	assert_endpoints("--listen 192.0.2.1:443,192.0.2.2:3478 --public-host example.org",
	                 "example.org udp:3478 tcp:3478 tcp:443");
	assert_endpoints("--listen 0.0.0.0:443,0.0.0.0:3478 --tls-cert a --tls-key b",
	                 "refused udp:3478 tcp:3478 tcp:443 tls:443");
	assert_endpoints("--listen 0.0.0.0:5349,0.0.0.0:3478 --tls-cert a --tls-key b",
	                 "refused udp:3478 tcp:3478 tls:5349");
	assert_endpoints("--listen 0.0.0.0:6503 --tls-cert a --tls-key b",
	                 "refused udp:6503 tcp:6503 tls:6503");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_host_has_a_uri_for_each_transport),
	    cmocka_unit_test(every_stun_uri_comes_before_every_turn_uri),
	    cmocka_unit_test(a_host_is_added_whole_or_not_at_all),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_endpoints),
	    cmocka_unit_test(test_public_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
