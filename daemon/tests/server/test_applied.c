/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A start is the first reload: for every option that a reload applies, a server
 * that was started with a value behaves like one that was reloaded to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tests/server/rig.h"
#include "daemon/tests/server/talker.h"

#include <jansson.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER4    RIG_SERVER4 ":3478"
#define ECHO_PORT  3480
#define ECHO       RIG_PEER4 ":3480"
#define PUBLIC     "8.8.8.8:9"
#define PRIVATE    "10.1.1.1:9"
#define ASKED_S    86400
#define SHORT_MS   3000 /* longer than a timeout of one second, shorter than one of ten */
#define LINE_MS    1000
#define QUESTIONS  10
#define PACKETS    100 /* more than may pass at once, TURN_RATE_BURST */
#define PACKET_LEN 1000
#define FAR_EXPIRY "4102444800:bob" /* the year 2100 */
#define ALTERNATE  "alternate_server = 8.8.4.4:3478\n"
#define OAUTH      "oauth_key = kid:MDEyMzQ1Njc4OTAxMjM0NQ==\n"
#define GUESTS     "guests = public\n"
#define ONE        "connections_per_address = 1\n"
#define HTTP       "http://" SERVER4

static struct rig_server server;
static struct rig_program echo;

/* ---- what can be seen of an option ---- */

static void enter(struct talker *t)
{
	talker_enter(t, SERVER4, false, "alice", "wonderland");
}

static int leave(struct talker *t, int seen)
{
	talker_refresh(t, 0);
	talker_close(t);
	return seen;
}

static int attempt(void)
{
	return talker_try(SERVER4, "alice", "wonderland");
}

static int second_allocation(void)
{
	struct talker t;

	enter(&t);
	return leave(&t, attempt());
}

static int lifetime_of_answer(struct talker *t)
{
	return (int)wire_get_u32(t->in.buf, t->in.len, ATTR_LIFETIME);
}

static int lifetime_by_default(void)
{
	struct talker t;

	enter(&t);
	return leave(&t, lifetime_of_answer(&t));
}

static int lifetime_at_most(void)
{
	struct talker t;

	enter(&t);
	assert_int_equal(talker_refresh(&t, ASKED_S), 0);
	return leave(&t, lifetime_of_answer(&t));
}

static int permits_private(void)
{
	struct talker t;

	enter(&t);
	return leave(&t, talker_permit_to(&t, PRIVATE));
}

static int permits_public(void)
{
	struct talker t;

	enter(&t);
	return leave(&t, talker_permit_to(&t, PUBLIC));
}

static int second_permission(void)
{
	struct talker t;

	enter(&t);
	assert_int_equal(talker_permit_to(&t, PUBLIC), 0);
	return leave(&t, talker_permit_to(&t, ECHO));
}

static int second_channel(void)
{
	struct talker t;

	enter(&t);
	assert_int_equal(talker_bind_to(&t, 0x4001, PUBLIC), 0);
	return leave(&t, talker_bind_to(&t, 0x4002, ECHO));
}

static int legacy_channel(void)
{
	struct talker t;

	enter(&t);
	return leave(&t, talker_bind_to(&t, 0x5001, PUBLIC));
}

static int mobile_allocation(void)
{
	struct talker t;
	struct wire m;
	int code;

	talker_open(&t, SERVER4, false, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(&t), 401);
	talker_request(&t, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_UDP);
	wire_add(&m, ATTR_MOBILITY_TICKET, NULL, 0);
	code = talker_ask(&t, &m);
	return leave(&t, code);
}

/* Nobody listens there: 447, where it is tried. */
static int connection_to_peer(void)
{
	struct talker t;
	struct wire m;
	int code;

	talker_open(&t, SERVER4, true, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(&t), 401);
	talker_request(&t, &m, W_ALLOCATE);
	wire_add_transport(&m, IPPROTO_TCP);
	assert_int_equal(talker_ask(&t, &m), 0);
	talker_request(&t, &m, W_CONNECT);
	wire_add_peer(&m, ECHO);
	code = talker_ask(&t, &m);
	return leave(&t, code);
}

static int all_packets_come_back(void)
{
	struct wire packet;
	char load[PACKET_LEN] = "";
	struct talker t;
	int n = 0;

	enter(&t);
	assert_int_equal(talker_bind_to(&t, 0x4001, ECHO), 0);
	wire_channel_data(&packet, 0x4001, load, sizeof(load), false);
	for (int i = 0; i < PACKETS && n == i; i++) {
		assert_int_equal(talker_send(&t, packet.buf, packet.len), 0);
		n += !talker_receive(&t, LINE_MS);
	}
	return leave(&t, n == PACKETS);
}

static int all_answered(uint16_t type)
{
	struct talker t;
	struct wire m;
	int n = 0;

	talker_open(&t, SERVER4, false, NULL, "", "");
	t.wait_ms = LINE_MS;
	for (int i = 0; i < QUESTIONS && n == i; i++) {
		wire_start(&m, type, ++t.tid);
		if (type == W_ALLOCATE)
			wire_add_transport(&m, IPPROTO_UDP);
		assert_int_equal(talker_send(&t, m.buf, m.len), 0);
		n += !talker_receive(&t, LINE_MS);
	}
	talker_close(&t);
	return n == QUESTIONS;
}

static int all_strangers_answered(void)
{
	return all_answered(W_ALLOCATE);
}

static int all_bindings_answered(void)
{
	return all_answered(W_BINDING);
}

/* The code of a login over TCP. Open until talker_close(). */
static int login_by_tcp(struct talker *t)
{
	talker_open(t, SERVER4, true, RIG_SERVER4B, "alice", "wonderland");
	return talker_login(t);
}

static bool is_served(struct talker *t)
{
	if (login_by_tcp(t) == 401)
		return true;
	talker_close(t);
	return false;
}

static int second_connection(void)
{
	struct talker first, second;
	int code;

	SOON(is_served(&first)); /* those of before are gone */
	code = login_by_tcp(&second);
	talker_close(&second);
	talker_close(&first);
	return code;
}

/* A balancer of proxy_from has to begin with a PROXY header. */
static int turn_over_tcp(void)
{
	struct talker t;
	int code;

	code = login_by_tcp(&t);
	talker_close(&t);
	return code;
}

static int leaves_the_silent(void)
{
	struct talker t;
	int left;

	talker_open(&t, SERVER4, true, NULL, "", "");
	left = talker_is_left(&t, SHORT_MS);
	talker_close(&t);
	return left;
}

static int leaves_the_idle(void)
{
	struct talker t;
	int left;

	talker_open(&t, SERVER4, true, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(&t), 401);
	left = talker_is_left(&t, SHORT_MS);
	talker_close(&t);
	return left;
}

static int speaks_dtls(void)
{
	struct rig_program client;
	char *said;
	int seen;

	rig_start(&client, "openssl s_client -dtls1_2 -connect " SERVER4, "");
	seen = rig_wait_output(&client, "BEGIN CERTIFICATE", SHORT_MS);
	rig_signal_and_wait(&client, SIGKILL, SHORT_MS);
	said = rig_output(&client);
	free(said);
	return seen;
}

static int third_party(void)
{
	struct talker t;
	size_t len = 0;

	talker_open(&t, SERVER4, false, NULL, "alice", "wonderland");
	assert_int_equal(talker_login(&t), 401);
	wire_get(t.in.buf, t.in.len, ATTR_THIRD_PARTY_AUTHORIZATION, &len);
	talker_close(&t);
	return (int)len;
}

/* The password of FAR_EXPIRY by the secret "north". */
static int knows_secret(void)
{
	char password[64];
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned int len;

	assert_non_null(HMAC(EVP_sha1(), "north", 5, (const uint8_t *)FAR_EXPIRY,
	                     strlen(FAR_EXPIRY), mac, &len));
	EVP_EncodeBlock((uint8_t *)password, mac, (int)len);
	return talker_try(SERVER4, FAR_EXPIRY, password);
}

/* The answer with its head. */
static char *fetch(const char *path, const char *header)
{
	char command[256];

	snprintf(command, sizeof(command),
	         "curl -s -i --noproxy * --max-time 10 -H %s " HTTP "/turn?service=turn%s", header,
	         path);
	return rig_run(command, NULL);
}

static int seen_of(char *said, const char *text)
{
	int seen = strcasestr(said, text) != NULL;

	free(said);
	return seen;
}

static int number_after(char *said, const char *text)
{
	const char *at = strstr(said, text);
	int number = at ? atoi(at + strlen(text)) : -1;

	free(said);
	return number;
}

static int guest_status(void)
{
	return number_after(fetch("", "Accept:*/*"), "HTTP/1.1 ");
}

/* By a proxy's word the second connection from there is another client's. */
static int serves_another(void)
{
	struct rig_program curl;
	struct talker first;
	int status;

	SOON(is_served(&first));
	rig_start(&curl,
	          "curl -s --noproxy * --max-time 10 --interface " RIG_SERVER4B
	          " -H X-Forwarded-For:9.9.9.9 " HTTP "/healthz",
	          NULL);
	status = rig_wait(&curl, SOON_MS);
	talker_close(&first);
	return status == 0;
}

static int ttl_by_default(void)
{
	return number_after(fetch("", "Accept:*/*"), "\"ttl\":");
}

static int issues_locked(void)
{
	return seen_of(fetch("", "Accept:*/*"), ":lock=");
}

static int ttl_at_most(void)
{
	return number_after(fetch("&ttl=604800", "Accept:*/*"), "\"ttl\":");
}

static int names_public_host(void)
{
	return seen_of(fetch("", "Accept:*/*"), "turn:turn.example.org:3478");
}

static int lets_the_page_read(void)
{
	return seen_of(fetch("", "Origin:https://app.example.org"), "access-control-allow-origin");
}

static int second_peer(void)
{
	static const char upgrade[] =
	    "curl -s -i -N --http1.1 --noproxy * --max-time 10 -H Connection:Upgrade "
	    "-H Upgrade:websocket -H Sec-WebSocket-Version:13 "
	    "-H Sec-WebSocket-Key:dGhlIHNhbXBsZSBub25jZQ== " HTTP "/ws";
	struct rig_program peer[2];
	char *said;

	for (int i = 0; i < 2; i++) {
		rig_start(&peer[i], upgrade, NULL);
		assert_true(rig_wait_output(&peer[i], "\r\n\r\n", SOON_MS));
	}
	said = rig_output(&peer[1]);
	for (int i = 0; i < 2; i++)
		rig_signal_and_wait(&peer[i], SIGKILL, SHORT_MS);
	return number_after(said, "HTTP/1.1 ");
}

/* One allocation more is one line more, at level info. */
static int lines_of_info(void)
{
	char *before = rig_output(&server.program), *after = NULL;
	unsigned long long until = rig_now_ms() + LINE_MS;
	bool seen = false;

	assert_int_equal(attempt(), 0);
	while (!seen && rig_now_ms() < until) {
		rig_sleep_ms(20);
		free(after);
		after = rig_output(&server.program);
		seen = strstr(after + strlen(before), "level=info") != NULL;
	}
	free(before);
	free(after);
	return seen;
}

/* ---- tickets ---- */

/* The claims of a new ticket, for json_decref(). */
static json_t *claims_of_ticket(void)
{
	char *made = rig_verb(&server, "ticket ann", NULL), *part = strchr(made, '.') + 1;
	size_t len = strcspn(part, "."), padded = (len + 3) / 4 * 4;
	char text[1024];
	json_t *claims;

	memset(text, '=', sizeof(text));
	for (size_t i = 0; i < len; i++)
		text[i] = (char)(part[i] == '-' ? '+' : part[i] == '_' ? '/' : part[i]);
	claims = json_loadb(
	    text,
	    (size_t)EVP_DecodeBlock((unsigned char *)text, (unsigned char *)text, (int)padded) -
	        (padded - len),
	    0, NULL);
	assert_non_null(claims);
	free(made);
	return claims;
}

static int ticket_lifetime(void)
{
	json_t *claims = claims_of_ticket();
	int s = (int)(json_integer_value(json_object_get(claims, "exp")) -
	              json_integer_value(json_object_get(claims, "iat")));

	json_decref(claims);
	return s;
}

static int ticket_lasts_a_day(void)
{
	char *said;
	int status = rig_try_verb(&server, "ticket ann --ttl 24h", NULL, &said);

	free(said);
	return status;
}

static int ticket_names_service(void)
{
	json_t *claims = claims_of_ticket();
	int names = !!json_object_get(claims, "iss") + 2 * !!json_object_get(claims, "aud");

	json_decref(claims);
	return names;
}

/* ---- the table ---- */

struct row {
	const char *option;
	const char *a, *b; /* two configurations that differ in it */
	int (*see)(void);  /* NULL: it is not looked at here */
	const char *why_not;
};

static const struct row rows[] = {
    {"public_host", GUESTS, GUESTS "public_host = turn.example.org\n", names_public_host, NULL},
    {"log_level", "", "log_level = error\n", lines_of_info, NULL},
    {"shared_secret", "", "shared_secret = north\n", knows_secret, NULL},
    {"guests", "", GUESTS, guest_status, NULL},
    {"relay_lock", GUESTS, GUESTS "relay_lock = call\n", issues_locked, NULL},
    {"credential_ttl", GUESTS, GUESTS "credential_ttl = 777\n", ttl_by_default, NULL},
    {"max_credential_ttl", GUESTS, GUESTS "max_credential_ttl = 90000\n", ttl_at_most, NULL},
    {"cors_origin", GUESTS, GUESTS "cors_origin = https://app.example.org\n", lets_the_page_read,
     NULL},
    {"oauth_key", "", OAUTH "oauth_server = one\n", third_party, NULL},
    {"oauth_server", OAUTH "oauth_server = one\n", OAUTH "oauth_server = another\n", third_party,
     NULL},
    {"relay_allow", "", "relay_allow = 10.1.0.0/16\n", permits_private, NULL},
    {"relay_deny", "", "relay_deny = 8.8.8.0/24\n", permits_public, NULL},
    {"default_lifetime", "", "default_lifetime = 700\n", lifetime_by_default, NULL},
    {"max_lifetime", "", "max_lifetime = 1234\n", lifetime_at_most, NULL},
    {"permissions_max", "", "permissions_max = 1\n", second_permission, NULL},
    {"channels_max", "", "channels_max = 1\n", second_channel, NULL},
    {"peer_connections", "", "peer_connections = 0\n", connection_to_peer, NULL},
    {"user_quota", "", "user_quota = 1\n", second_allocation, NULL},
    {"realm_quota", "", "realm_quota = 1\n", second_allocation, NULL},
    {"total_quota", "", "total_quota = 1\n", second_allocation, NULL},
    {"session_bandwidth", "", "session_bandwidth = 1100\n", all_packets_come_back, NULL},
    {"user_bandwidth", "", "user_bandwidth = 1100\n", all_packets_come_back, NULL},
    {"total_bandwidth", "", "total_bandwidth = 1100\n", all_packets_come_back, NULL},
    {"unauth_rate", "", "unauth_rate = 1\n", all_strangers_answered, NULL},
    {"binding_rate", "", "binding_rate = 1\n", all_bindings_answered, NULL},
    {"max_tcp_connections", "", "max_tcp_connections = 1\n", second_connection, NULL},
    {"connections_per_address", "", "connections_per_address = 1\n", second_connection, NULL},
    {"max_dtls_sessions", "", "max_dtls_sessions = 0\n", speaks_dtls, NULL},
    {"first_message_timeout", "", "first_message_timeout = 1\n", leaves_the_silent, NULL},
    {"idle_timeout", "", "idle_timeout = 1\n", leaves_the_idle, NULL},
    {"proxy_from", "", "proxy_from = " RIG_SERVER4B "/32\n", turn_over_tcp, NULL},
    {"trusted_proxy", ONE, ONE "trusted_proxy = " RIG_SERVER4B "/32\n", serves_another, NULL},
    {"max_connections", "", "max_connections = 1\n", second_peer, NULL},
    {"ticket_ttl", "", "ticket_ttl = 777\n", ticket_lifetime, NULL},
    {"max_ticket_ttl", "", "max_ticket_ttl = 3600\n", ticket_lasts_a_day, NULL},
    {"ticket_issuer", "", "ticket_issuer = us\n", ticket_names_service, NULL},
    {"ticket_audience", "", "ticket_audience = calls\n", ticket_names_service, NULL},
    {"alternate_server", "", ALTERNATE, attempt, NULL},
    {"redirect", ALTERNATE, ALTERNATE "redirect = no\n", attempt, NULL},
    {"mobility", "", "mobility = yes\n", mobile_allocation, NULL},
    {"legacy_channels", "", "legacy_channels = yes\n", legacy_channel, NULL},

    {"webhook_url", NULL, NULL, NULL, "test_webhooks reloads it"},
    {"webhook_secret", NULL, NULL, NULL, "test_hooks replaces it"},
    {"webhook_events", NULL, NULL, NULL, "test_webhooks reloads it"},
    {"webhook_ca", NULL, NULL, NULL, "test_webhooks reloads it"},
    {"join_url", NULL, NULL, NULL, "test_webhooks reloads it"},
    {"join_timeout", NULL, NULL, NULL, "likewise"},
    {"webhook_timeout", NULL, NULL, NULL, "applied by the one call that applies webhook_url"},
    {"webhook_queue", NULL, NULL, NULL, "likewise"},
    {"webhook_queue_bytes", NULL, NULL, NULL, "likewise"},
    {"ticket_key", NULL, NULL, NULL, "test_tickets changes keys in every way"},
    {"tls_cert", NULL, NULL, NULL, "test_certs changes certificates in every way"},
    {"tls_key", NULL, NULL, NULL, "as tls_cert"},
    {"drain_timeout", NULL, NULL, NULL, "nothing copies it: it is read when the server stops"},
    {"relay_allow_unsafe", NULL, NULL, NULL, "it lets relay_allow pass, and does nothing itself"},
    {"strict_expiry", NULL, NULL, NULL, "a credential lives for half a minute at least"},
    {"nonce_lifetime", NULL, NULL, NULL, "a nonce lives for a minute at least"},
    {"gather_time", NULL, NULL, NULL, "it is seen in the use of the processor alone"},
    {"client_backlog", NULL, NULL, NULL, "the kernel's buffers in front of it are larger"},
    {"signal_rate", NULL, NULL, NULL, "applied by the one call that applies max_connections"},
    {"default_room", NULL, NULL, NULL, "as signal_rate"},
    {"guest_rooms", NULL, NULL, NULL, "as signal_rate"},
    {"room_lists", NULL, NULL, NULL, "as signal_rate"},
    {"room_users", NULL, NULL, NULL, "as signal_rate"},
    {"rooms_per_address", NULL, NULL, NULL, "as signal_rate"},
    {"signal_guests", NULL, NULL, NULL, "as signal_rate"},
    {"guest_may", NULL, NULL, NULL, "as signal_rate"},
    {"alternate_domain", NULL, NULL, NULL, "told over TLS; made beside alternate_server"},
};
#define ROW_N (sizeof(rows) / sizeof(*rows))

static const char *configure(const char *more)
{
	return rig_file("turnpike.conf",
	                "listen = " SERVER4 "\nworkers = 1\nrelay_ports = 50000-50999\n%s", more);
}

/* One that logs errors alone does not say that it is ready. */
static void start_quietly(const char *name, const char *path)
{
	char command[512];

	rig_server_prepare(&server, name);
	snprintf(command, sizeof(command), TURNPIKE_PROGRAM " serve --data %s --config %s",
	         server.data, path);
	rig_start(&server.program, command, NULL);
	rig_wait_port(RIG_SERVER4, 3478);
}

static void start_with(const char *name, const char *more)
{
	const char *path = configure(more);
	bool quiet = strstr(more, "log_level") != NULL;
	char options[256];

	snprintf(options, sizeof(options), "--config %s", path);
	if (quiet)
		start_quietly(name, path);
	else
		rig_server_start(&server, name, options);
	free(rig_verb(&server, "user add alice --password-stdin", "wonderland\n"));
	if (quiet)
		SOON(attempt() == 0);
	else
		rig_server_settle(&server);
}

static void reload(const char *more)
{
	configure(more);
	free(rig_verb(&server, "reload", NULL));
	rig_server_settle(&server);
}

static void every_option_has_a_row(void **state)
{
	static const struct {
		const char *name;
		bool reload;
	} options[] = {
#define HOT                                          true
#define COLD                                         false
#define CONF(name, t, d, lo, hi, u, reload, s, m, h) {#name, reload},
#include "daemon/conf/options.def"
#undef CONF
	};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		int n = 0;

		for (size_t k = 0; k < ROW_N; k++)
			n += !strcmp(rows[k].option, options[i].name);
		if (n != options[i].reload)
			fail_msg("%s: %d rows", options[i].name, n);
	}
}

static void a_start_is_the_first_reload(void **state)
{
	int reloaded[ROW_N] = {0};

	(void)state;
	start_with("reloaded", "");
	rig_echo_start(&echo, ECHO_PORT);
	for (size_t i = 0; i < ROW_N; i++) {
		int before;

		if (!rows[i].see)
			continue;
		reload(rows[i].a);
		before = rows[i].see();
		reload(rows[i].b);
		reloaded[i] = rows[i].see();
		if (before == reloaded[i])
			fail_msg("%s: a reload changes nothing: %d", rows[i].option, before);
	}
	rig_server_stop(&server);
	for (size_t i = 0; i < ROW_N; i++) {
		int started;

		if (!rows[i].see)
			continue;
		start_with(rows[i].option, rows[i].b);
		started = rows[i].see();
		if (started != reloaded[i])
			fail_msg("%s: %d after a start, %d after a reload", rows[i].option, started,
			         reloaded[i]);
		rig_server_stop(&server);
	}
	rig_signal_and_wait(&echo, SIGKILL, SHORT_MS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_option_has_a_row),
	    cmocka_unit_test_prestate_setup_teardown(a_start_is_the_first_reload, NULL,
	                                             rig_server_end, &server),
	};

	(void)argc;
	rig_enter(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
