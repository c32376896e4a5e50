/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is said to both servers. A step's name says what is peculiar about the
 * message; what is right to answer is written nowhere here: the other server
 * is the measure, and differences.def the law.
 */
#include "daemon/tests/foreign/compare.h"

#include "daemon/tests/server/rig.h"

#include <string.h>

#define PEER    RIG_PEER4 ":3480"
#define PEER_B  "77.7.0.10:3480"
#define PEER_V6 "[" RIG_PEER6 "]:3480"

enum {
	UNKNOWN_REQUIRED = 0x7777,
	UNKNOWN_OPTIONAL = 0xc777,
};

static const uint8_t udp[4] = {17}, tcp[4] = {6}, sctp[4] = {132};
static const uint8_t ipv4[4] = {1}, ipv6[4] = {2}, family9[4] = {9};

static void open_as(struct talk *t, const char *user, const char *password)
{
	talker_open(&t->c, t->server, t->stream, NULL, user, password);
}

static void open_alice(struct talk *t)
{
	open_as(t, "alice", "wonderland");
	talker_login(&t->c);
}

static void start_allocate(struct talk *t, struct wire *m)
{
	talker_request(&t->c, m, W_ALLOCATE);
	wire_add(m, ATTR_REQUESTED_TRANSPORT, udp, 4);
}

static void open_allocated(struct talk *t)
{
	open_alice(t);
	talker_allocate(&t->c, IPPROTO_UDP);
}

static void binding(struct talk *t)
{
	struct wire m;

	open_as(t, "alice", "wonderland");
	wire_start(&m, W_BINDING, 1);
	compare_say(t, "Binding", &m);
	wire_start(&m, W_BINDING, 2);
	wire_add_fingerprint(&m);
	compare_say(t, "Binding with FINGERPRINT", &m);
	wire_start(&m, W_BINDING, 3);
	wire_add_fingerprint(&m);
	m.buf[m.len - 1] ^= 1;
	compare_say(t, "Binding with a wrong FINGERPRINT", &m);
	wire_start(&m, W_BINDING, 4);
	wire_add_u32(&m, UNKNOWN_REQUIRED, 0);
	compare_say(t, "Binding with an unknown required attribute", &m);
	wire_start(&m, W_BINDING, 5);
	wire_add_u32(&m, UNKNOWN_OPTIONAL, 0);
	wire_add_str(&m, ATTR_SOFTWARE, "a test");
	compare_say(t, "Binding with an unknown optional attribute", &m);
	wire_start(&m, W_BINDING | W_INDICATION, 6);
	compare_say(t, "Binding indication", &m);
	wire_start(&m, W_BINDING | W_SUCCESS, 7);
	compare_say(t, "Binding success response", &m);
	wire_start(&m, W_BINDING | W_ERROR, 8);
	compare_say(t, "Binding error response", &m);
	wire_start(&m, W_BINDING, 9);
	memcpy(m.buf + 4, "old!", 4);
	compare_say(t, "Binding of RFC 3489", &m);
	talker_close(&t->c);
}

static void broken(struct talk *t)
{
	struct wire m;

	open_as(t, "alice", "wonderland");
	wire_start(&m, W_BINDING, 1);
	m.len = 19;
	compare_say(t, "header cut short", &m);
	wire_start(&m, W_BINDING, 2);
	m.buf[3] = 4;
	compare_say(t, "length past the end", &m);
	wire_start(&m, W_BINDING, 3);
	wire_add_u32(&m, ATTR_SOFTWARE, 0);
	m.buf[3] = 0;
	compare_say(t, "length short of the end", &m);
	wire_start(&m, W_BINDING, 4);
	wire_add_u32(&m, ATTR_SOFTWARE, 0);
	m.buf[23] = 200;
	compare_say(t, "attribute past the end", &m);
	wire_start(&m, W_BINDING, 5);
	m.buf[3] = 2;
	m.len = 22;
	compare_say(t, "length no multiple of four", &m);
	wire_start(&m, W_BINDING, 6);
	m.buf[0] |= 0x80;
	compare_say(t, "first bits not zero", &m);
	wire_start(&m, 0x00ff, 7);
	compare_say(t, "unknown method", &m);
	wire_start(&m, W_BINDING, 8);
	compare_say(t, "Binding after all that", &m);
	talker_close(&t->c);
}

static void no_credentials(struct talk *t)
{
	static const uint16_t types[] = {W_ALLOCATE, W_REFRESH, W_CREATE_PERMISSION,
	                                 W_CHANNEL_BIND};
	static const char *const steps[] = {
	    "Allocate without credentials", "Refresh without credentials",
	    "CreatePermission without credentials", "ChannelBind without credentials"};
	struct wire m;

	for (size_t i = 0; i < 4; i++) {
		open_as(t, "alice", "wonderland");
		wire_start(&m, types[i], (uint32_t)i);
		compare_say(t, steps[i], &m);
		talker_close(&t->c);
	}
	open_as(t, "alice", "wonderland");
	wire_start(&m, W_ALLOCATE, 9);
	wire_add_fingerprint(&m);
	compare_say(t, "Allocate without credentials, with FINGERPRINT", &m);
	wire_start(&m, W_ALLOCATE, 10);
	wire_add_u32(&m, UNKNOWN_REQUIRED, 0);
	compare_say(t, "Allocate without credentials, with an unknown required attribute", &m);
	talker_close(&t->c);
}

/* An Allocate with these of the three attributes, signed with alice's key. */
static void with_parts(struct talk *t, const char *step, const char *user, const char *realm,
                       const char *nonce)
{
	struct wire m;

	open_alice(t);
	wire_start(&m, W_ALLOCATE, ++t->c.tid);
	if (user)
		wire_add_str(&m, ATTR_USERNAME, user);
	if (realm)
		wire_add_str(&m, ATTR_REALM, *realm ? realm : t->c.realm);
	if (nonce)
		wire_add_str(&m, ATTR_NONCE, *nonce ? nonce : t->c.nonce);
	wire_add(&m, ATTR_REQUESTED_TRANSPORT, udp, 4);
	compare_ask(t, step, &m);
	talker_close(&t->c);
}

static void credentials(struct talk *t)
{
	struct wire m;
	char longest[600];

	with_parts(t, "integrity without USERNAME", NULL, "", "");
	with_parts(t, "integrity without REALM", "alice", NULL, "");
	with_parts(t, "integrity without NONCE", "alice", "", NULL);
	with_parts(t, "integrity alone", NULL, NULL, NULL);
	with_parts(t, "unknown user", "mallory", "", "");
	with_parts(t, "another realm", "alice", "elsewhere", "");
	with_parts(t, "made-up nonce", "alice", "", "0123456789abcdef");
	with_parts(t, "empty USERNAME", "", "", "");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	with_parts(t, "USERNAME of 599 bytes", longest, "", "");
	open_as(t, "alice", "mad-hatter");
	talker_login(&t->c);
	start_allocate(t, &m);
	compare_ask(t, "wrong password", &m);
	talker_close(&t->c);
	open_alice(t);
	start_allocate(t, &m);
	wire_add(&m, ATTR_MESSAGE_INTEGRITY, "tooshort", 8);
	compare_say(t, "integrity of eight bytes", &m);
	talker_close(&t->c);
}

/* An Allocate that has these attributes. */
struct extra {
	uint16_t type;
	const void *value;
	size_t len;
};

static void allocate_with(struct talk *t, const char *step, const struct extra *e, size_t n)
{
	struct wire m;

	open_alice(t);
	talker_request(&t->c, &m, W_ALLOCATE);
	for (size_t i = 0; i < n; i++)
		wire_add(&m, e[i].type, e[i].value, e[i].len);
	compare_ask(t, step, &m);
	talker_close(&t->c);
}

#define ALLOCATE_WITH(t, step, ...)                                                                \
	allocate_with(t, step, (const struct extra[]){__VA_ARGS__},                                \
	              sizeof((const struct extra[]){__VA_ARGS__}) / sizeof(struct extra))

static void allocate_checks(struct talk *t)
{
	allocate_with(t, "Allocate without REQUESTED-TRANSPORT", NULL, 0);
	ALLOCATE_WITH(t, "Allocate, transport of two bytes", {ATTR_REQUESTED_TRANSPORT, udp, 2});
	ALLOCATE_WITH(t, "Allocate, transport SCTP", {ATTR_REQUESTED_TRANSPORT, sctp, 4});
	ALLOCATE_WITH(t, "Allocate, TCP relay over UDP", {ATTR_REQUESTED_TRANSPORT, tcp, 4});
	ALLOCATE_WITH(t, "Allocate, IPv4", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_REQUESTED_ADDRESS_FAMILY, ipv4, 4});
	ALLOCATE_WITH(t, "Allocate, IPv6 where there is none", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_REQUESTED_ADDRESS_FAMILY, ipv6, 4});
	ALLOCATE_WITH(t, "Allocate, family 9", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_REQUESTED_ADDRESS_FAMILY, family9, 4});
	ALLOCATE_WITH(t, "Allocate, family of two bytes", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_REQUESTED_ADDRESS_FAMILY, ipv4, 2});
	ALLOCATE_WITH(t, "Allocate, unknown required attribute", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {UNKNOWN_REQUIRED, udp, 4});
	ALLOCATE_WITH(t, "Allocate, unknown optional attribute", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {UNKNOWN_OPTIONAL, udp, 4});
	ALLOCATE_WITH(t, "Allocate, EVEN-PORT", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_EVEN_PORT, "\0", 1});
	ALLOCATE_WITH(t, "Allocate, EVEN-PORT with the next", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_EVEN_PORT, "\x80", 1});
	ALLOCATE_WITH(t, "Allocate, EVEN-PORT and RESERVATION-TOKEN",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4}, {ATTR_EVEN_PORT, "\x80", 1},
	              {ATTR_RESERVATION_TOKEN, "12345678", 8});
	ALLOCATE_WITH(t, "Allocate, family and RESERVATION-TOKEN",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4}, {ATTR_REQUESTED_ADDRESS_FAMILY, ipv4, 4},
	              {ATTR_RESERVATION_TOKEN, "12345678", 8});
	ALLOCATE_WITH(t, "Allocate, RESERVATION-TOKEN that was never given",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4}, {ATTR_RESERVATION_TOKEN, "12345678", 8});
	ALLOCATE_WITH(t, "Allocate, RESERVATION-TOKEN of four bytes",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4}, {ATTR_RESERVATION_TOKEN, "1234", 4});
}

static void extensions(struct talk *t)
{
	struct wire m;

	ALLOCATE_WITH(t, "Allocate, DONT-FRAGMENT", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_DONT_FRAGMENT, "", 0});
	ALLOCATE_WITH(t, "Allocate, additional IPv6 where there is none",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_ADDITIONAL_ADDRESS_FAMILY, ipv6, 4});
	ALLOCATE_WITH(t, "Allocate, additional IPv4", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_ADDITIONAL_ADDRESS_FAMILY, ipv4, 4});
	ALLOCATE_WITH(t, "Allocate, family and additional family",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4}, {ATTR_REQUESTED_ADDRESS_FAMILY, ipv4, 4},
	              {ATTR_ADDITIONAL_ADDRESS_FAMILY, ipv6, 4});
	ALLOCATE_WITH(t, "Allocate, next port and additional family",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4}, {ATTR_EVEN_PORT, "\x80", 1},
	              {ATTR_ADDITIONAL_ADDRESS_FAMILY, ipv6, 4});
	ALLOCATE_WITH(t, "Allocate, MOBILITY-TICKET where that is off",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4}, {ATTR_MOBILITY_TICKET, "", 0});
	ALLOCATE_WITH(t, "Allocate, ACCESS-TOKEN where that is off",
	              {ATTR_REQUESTED_TRANSPORT, udp, 4}, {ATTR_ACCESS_TOKEN, "token", 5});
	open_allocated(t);
	talker_request(&t->c, &m, W_CONNECT);
	wire_add_peer(&m, PEER);
	compare_ask(t, "Connect on a UDP allocation", &m);
	talker_request(&t->c, &m, W_CONNECTION_BIND);
	wire_add_u32(&m, ATTR_CONNECTION_ID, 1);
	compare_ask(t, "ConnectionBind over UDP", &m);
	talker_close(&t->c);
}

static void lifetime(struct talk *t, const char *step, uint32_t seconds)
{
	struct wire m;

	open_alice(t);
	start_allocate(t, &m);
	wire_add_u32(&m, ATTR_LIFETIME, seconds);
	compare_ask(t, step, &m);
	talker_close(&t->c);
}

static void lifetimes(struct talk *t)
{
	ALLOCATE_WITH(t, "Allocate, no LIFETIME", {ATTR_REQUESTED_TRANSPORT, udp, 4});
	lifetime(t, "Allocate, LIFETIME 700", 700);
	lifetime(t, "Allocate, LIFETIME 100", 100);
	lifetime(t, "Allocate, LIFETIME 100000", 100000);
	lifetime(t, "Allocate, LIFETIME 0", 0);
	lifetime(t, "Allocate, LIFETIME 2^32-1", 0xffffffff);
	ALLOCATE_WITH(t, "Allocate, LIFETIME of two bytes", {ATTR_REQUESTED_TRANSPORT, udp, 4},
	              {ATTR_LIFETIME, udp, 2});
}

static void allocation(struct talk *t)
{
	uint8_t key[16];
	struct wire m, again;

	open_alice(t);
	talker_key(&t->c, key);
	start_allocate(t, &m);
	wire_add_integrity(&m, key);
	again = m;
	compare_say(t, "Allocate", &m);
	compare_say(t, "Allocate, sent again", &again);
	start_allocate(t, &m);
	compare_ask(t, "Allocate on a 5-tuple in use", &m);

	talker_request(&t->c, &m, W_REFRESH);
	compare_ask(t, "Refresh", &m);
	talker_request(&t->c, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, 1200);
	compare_ask(t, "Refresh, LIFETIME 1200", &m);
	talker_request(&t->c, &m, W_REFRESH);
	wire_add(&m, ATTR_LIFETIME, udp, 2);
	compare_ask(t, "Refresh, LIFETIME of two bytes", &m);
	talker_request(&t->c, &m, W_REFRESH);
	wire_add(&m, ATTR_REQUESTED_ADDRESS_FAMILY, ipv6, 4);
	compare_ask(t, "Refresh, the other family", &m);
	talker_request(&t->c, &m, W_REFRESH);
	wire_add(&m, ATTR_REQUESTED_ADDRESS_FAMILY, ipv4, 4);
	compare_ask(t, "Refresh, its own family", &m);
	t->c.user = "bob";
	t->c.user_len = strlen(t->c.user);
	t->c.password = "builder";
	talker_request(&t->c, &m, W_REFRESH);
	compare_ask(t, "Refresh by another user", &m);
	t->c.user = "alice";
	t->c.user_len = strlen(t->c.user);
	t->c.password = "wonderland";
	talker_request(&t->c, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, 0);
	wire_add_integrity(&m, key);
	again = m;
	compare_say(t, "Refresh, LIFETIME 0", &m);
	talker_close(&t->c);
}

static void without_allocation(struct talk *t)
{
	struct wire m;

	open_alice(t);
	talker_request(&t->c, &m, W_REFRESH);
	compare_ask(t, "Refresh without an allocation", &m);
	talker_close(&t->c);
	open_alice(t);
	talker_request(&t->c, &m, W_REFRESH);
	wire_add_u32(&m, ATTR_LIFETIME, 0);
	compare_ask(t, "Refresh without an allocation, LIFETIME 0", &m);
	talker_close(&t->c);
	open_alice(t);
	talker_request(&t->c, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, PEER);
	compare_ask(t, "CreatePermission without an allocation", &m);
	talker_close(&t->c);
	open_alice(t);
	talker_request(&t->c, &m, W_CHANNEL_BIND);
	wire_add_u32(&m, ATTR_CHANNEL_NUMBER, 0x40000000);
	wire_add_peer(&m, PEER);
	compare_ask(t, "ChannelBind without an allocation", &m);
	talker_send_to(&t->c, PEER, "lost");
	compare_listen(t, "Send without an allocation");
	talker_close(&t->c);
}

static void permission(struct talk *t, const char *step, const char *one, const char *two)
{
	struct wire m;

	talker_request(&t->c, &m, W_CREATE_PERMISSION);
	if (one)
		wire_add_peer(&m, one);
	if (two)
		wire_add_peer(&m, two);
	compare_ask(t, step, &m);
}

static void permissions(struct talk *t)
{
	struct wire m;

	open_allocated(t);
	permission(t, "CreatePermission", PEER, NULL);
	permission(t, "CreatePermission again", PEER, NULL);
	permission(t, "CreatePermission for two", PEER, PEER_B);
	permission(t, "CreatePermission without a peer", NULL, NULL);
	permission(t, "CreatePermission for the other family", PEER_V6, NULL);
	permission(t, "CreatePermission for 127.0.0.1", "127.0.0.1:80", NULL);
	permission(t, "CreatePermission for 0.0.0.0", "0.0.0.0:80", NULL);
	permission(t, "CreatePermission for 224.0.0.1", "224.0.0.1:80", NULL);
	permission(t, "CreatePermission for a good and a bad peer", PEER, "127.0.0.1:80");
	permission(t, "CreatePermission for 192.168.1.1", "192.168.1.1:80", NULL);
	permission(t, "CreatePermission for 169.254.169.254", "169.254.169.254:80", NULL);
	talker_request(&t->c, &m, W_CREATE_PERMISSION);
	wire_add(&m, ATTR_XOR_PEER_ADDRESS, "\0\1\0", 3);
	compare_ask(t, "CreatePermission, peer of three bytes", &m);
	talker_request(&t->c, &m, W_CREATE_PERMISSION);
	wire_add(&m, ATTR_XOR_PEER_ADDRESS, "\0\3\0\1\1\2\3\4", 8);
	compare_ask(t, "CreatePermission, peer of family 3", &m);
	talker_request(&t->c, &m, W_CREATE_PERMISSION);
	wire_add_peer(&m, PEER);
	wire_add_u32(&m, UNKNOWN_REQUIRED, 0);
	compare_ask(t, "CreatePermission, unknown required attribute", &m);
	talker_close(&t->c);
}

static void channel(struct talk *t, const char *step, uint16_t number, const char *peer)
{
	struct wire m;

	talker_request(&t->c, &m, W_CHANNEL_BIND);
	if (number)
		wire_add_u32(&m, ATTR_CHANNEL_NUMBER, (uint32_t)number << 16);
	if (peer)
		wire_add_peer(&m, peer);
	compare_ask(t, step, &m);
}

static void channels(struct talk *t)
{
	open_allocated(t);
	channel(t, "ChannelBind without a number", 0, PEER);
	channel(t, "ChannelBind without a peer", 0x4000, NULL);
	channel(t, "ChannelBind 0x3fff", 0x3fff, PEER);
	channel(t, "ChannelBind 0x8000", 0x8000, PEER);
	channel(t, "ChannelBind 0xffff", 0xffff, PEER);
	channel(t, "ChannelBind 0x4000", 0x4000, PEER);
	channel(t, "ChannelBind 0x4000 again", 0x4000, PEER);
	channel(t, "ChannelBind, number of another peer", 0x4000, PEER_B);
	channel(t, "ChannelBind, peer of another number", 0x4001, PEER);
	channel(t, "ChannelBind 0x4fff", 0x4fff, PEER_B);
	channel(t, "ChannelBind 0x5000", 0x5000, "77.7.0.11:1");
	channel(t, "ChannelBind 0x7fff", 0x7fff, "77.7.0.12:1");
	channel(t, "ChannelBind, the other family", 0x4002, PEER_V6);
	channel(t, "ChannelBind, 127.0.0.1", 0x4003, "127.0.0.1:80");
	channel(t, "ChannelBind, 10.1.2.3", 0x4003, "10.1.2.3:80");
	talker_close(&t->c);
}

static void data(struct talk *t)
{
	struct wire m;

	open_allocated(t);
	talker_send_to(&t->c, PEER, "no permission");
	compare_listen(t, "Send without permission");
	talker_permit_to(&t->c, PEER);
	talker_send_to(&t->c, PEER, "hello");
	compare_listen(t, "Send, and the echo");
	wire_start(&m, W_SEND, ++t->c.tid);
	wire_add_peer(&m, PEER);
	talker_send(&t->c, m.buf, m.len);
	compare_listen(t, "Send without DATA");
	wire_start(&m, W_SEND, ++t->c.tid);
	wire_add_str(&m, ATTR_DATA, "whither?");
	talker_send(&t->c, m.buf, m.len);
	compare_listen(t, "Send without a peer");
	wire_start(&m, W_SEND, ++t->c.tid);
	wire_add_peer(&m, PEER);
	wire_add_str(&m, ATTR_DATA, "hello");
	wire_add_u32(&m, UNKNOWN_REQUIRED, 0);
	talker_send(&t->c, m.buf, m.len);
	compare_listen(t, "Send with an unknown required attribute");
	talker_bind_to(&t->c, 0x4000, PEER);
	talker_send(&t->c, "\x40\x00\x00\x05hello\0\0", 12);
	compare_listen(t, "ChannelData, and the echo");
	talker_send(&t->c, "\x40\x00\x00\x0ahello", 9);
	compare_listen(t, "ChannelData longer than the datagram");
	talker_send(&t->c, "\x40\x01\x00\x05hello", 9);
	compare_listen(t, "ChannelData without a binding");
	talker_send_to(&t->c, PEER, "hello");
	compare_listen(t, "Send to a peer that has a channel");
	talker_close(&t->c);
}

/* RFC 8489 section 14.5: what follows the integrity is ignored, FINGERPRINT excepted. */
static void behind_integrity(struct talk *t)
{
	uint8_t key[16];
	struct wire m;

	open_alice(t);
	talker_key(&t->c, key);
	start_allocate(t, &m);
	wire_add_integrity(&m, key);
	wire_add_u32(&m, ATTR_LIFETIME, 3000);
	compare_say(t, "Allocate, LIFETIME behind the integrity", &m);
	talker_request(&t->c, &m, W_REFRESH);
	wire_add_integrity(&m, key);
	wire_add_u32(&m, UNKNOWN_REQUIRED, 0);
	compare_say(t, "Refresh, unknown required attribute behind the integrity", &m);
	talker_request(&t->c, &m, W_REFRESH);
	wire_add_integrity(&m, key);
	wire_add_fingerprint(&m);
	compare_say(t, "Refresh, FINGERPRINT behind the integrity", &m);
	talker_request(&t->c, &m, W_CREATE_PERMISSION);
	wire_add_integrity(&m, key);
	wire_add_peer(&m, PEER);
	compare_say(t, "CreatePermission, the peer behind the integrity", &m);
	talker_close(&t->c);
}

/* RFC 6062, over TCP. */
static void tcp_relay(struct talk *t)
{
	struct wire m;

	ALLOCATE_WITH(t, "TCP relay", {ATTR_REQUESTED_TRANSPORT, tcp, 4});
	ALLOCATE_WITH(t, "TCP relay, EVEN-PORT", {ATTR_REQUESTED_TRANSPORT, tcp, 4},
	              {ATTR_EVEN_PORT, "\0", 1});
	ALLOCATE_WITH(t, "TCP relay, DONT-FRAGMENT", {ATTR_REQUESTED_TRANSPORT, tcp, 4},
	              {ATTR_DONT_FRAGMENT, "", 0});
	ALLOCATE_WITH(t, "TCP relay, RESERVATION-TOKEN", {ATTR_REQUESTED_TRANSPORT, tcp, 4},
	              {ATTR_RESERVATION_TOKEN, "12345678", 8});
	open_alice(t);
	talker_request(&t->c, &m, W_ALLOCATE);
	wire_add(&m, ATTR_REQUESTED_TRANSPORT, tcp, 4);
	talker_ask(&t->c, &m);
	talker_request(&t->c, &m, W_CONNECT);
	compare_ask(t, "Connect without a peer", &m);
	talker_request(&t->c, &m, W_CONNECT);
	wire_add_peer(&m, PEER_V6);
	compare_ask(t, "Connect, the other family", &m);
	talker_request(&t->c, &m, W_CONNECT);
	wire_add_peer(&m, "127.0.0.1:80");
	compare_ask(t, "Connect to 127.0.0.1", &m);
	permission(t, "CreatePermission on a TCP relay", PEER, NULL);
	talker_request(&t->c, &m, W_CONNECT);
	wire_add_peer(&m, RIG_PEER4 ":9");
	compare_ask(t, "Connect to a closed port", &m);
	channel(t, "ChannelBind on a TCP relay", 0x4000, PEER);
	talker_close(&t->c);
	open_alice(t);
	talker_request(&t->c, &m, W_CONNECTION_BIND);
	wire_add_u32(&m, ATTR_CONNECTION_ID, 12345);
	compare_ask(t, "ConnectionBind to no connection", &m);
	talker_close(&t->c);
	open_alice(t);
	talker_request(&t->c, &m, W_CONNECTION_BIND);
	compare_ask(t, "ConnectionBind without CONNECTION-ID", &m);
	talker_close(&t->c);
}

const struct script compare_scripts[] = {
    {"Binding", binding, true, false},
    {"broken messages", broken, true, false},
    {"no credentials", no_credentials, true, true},
    {"credentials", credentials, true, true},
    {"what Allocate checks", allocate_checks, true, true},
    {"extensions", extensions, true, false},
    {"lifetimes", lifetimes, true, false},
    {"the life of an allocation", allocation, true, true},
    {"requests without an allocation", without_allocation, true, true},
    {"permissions", permissions, true, true},
    {"channels", channels, true, true},
    {"data", data, true, false},
    {"attributes behind MESSAGE-INTEGRITY", behind_integrity, true, true},
    {"TCP relay", tcp_relay, false, true},
};
const size_t compare_script_n = sizeof(compare_scripts) / sizeof(*compare_scripts);
