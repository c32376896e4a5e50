/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The STUN codec against the test vectors of RFC 5769 and against nonsense.
 */
#include "turn/stun_msg.h"

#include "base/error.h"
#include "base/tests/test.h"
#include "turn/framing.h"
#include "turn/wire/wire.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

/* RFC 5769 section 2.4: request with long-term authentication; user "マトリックス" (6 characters),
 * password "TheMatrIX" (after SASLprep), realm "example.org". */
static const uint8_t long_term[] = {
    0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72,
    0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x06, 0x00, 0x12, 0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88,
    0xe3, 0x83, 0xaa, 0xe3, 0x83, 0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00, 0x00,
    0x15, 0x00, 0x1c, 0x66, 0x2f, 0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36,
    0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54, 0x76, 0x79, 0x36, 0x34, 0x73,
    0x41, 0x00, 0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72,
    0x67, 0x00, 0x00, 0x08, 0x00, 0x14, 0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02,
    0xb8, 0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96, 0x66,
};

/* RFC 5769 section 2.2 and 2.3: the mapped addresses of the sample responses. */
static const uint8_t tid_2_2[12] = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
                                    0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

static void rfc5769_long_term(void **state)
{
	_Alignas(8) uint8_t buf[sizeof(long_term)];
	struct stun_key key = {.len = 16};
	struct stun_msg m;

	(void)state;
	memcpy(buf, long_term, sizeof(buf));
	assert_int_equal(stun_msg_parse(&m, buf, sizeof(buf)), 0);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_int_equal(m.method, STUN_BINDING);
	assert_int_equal(m.attr[STUN_ATTR_USERNAME].len, 18);
	assert_int_equal(m.attr[STUN_ATTR_REALM].len, 11);
	wire_key("\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9",
	         "example.org", "TheMatrIX", key.bytes);
	assert_true(stun_msg_integrity_ok(&m, STUN_SHA1, &key));
	assert_memory_equal(buf, long_term, sizeof(buf)); /* the check leaves no trace */
	key.bytes[0] ^= 1;
	assert_false(stun_msg_integrity_ok(&m, STUN_SHA1, &key));
	key.bytes[0] ^= 1;
	for (size_t i = 24; i < 42; i++) { /* every byte of the name is protected */
		buf[i] ^= 0x10;
		assert_false(stun_msg_integrity_ok(&m, STUN_SHA1, &key));
		buf[i] ^= 0x10;
	}
}

/* RFC 8489 appendix B.1 as erratum 6268 corrects it: USERHASH, PASSWORD-ALGORITHM SHA-256,
 * MESSAGE-INTEGRITY-SHA256; user, password and realm as above. */
static const uint8_t long_term_sha256[] = {
    0x00, 0x01, 0x00, 0x90, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72,
    0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x1e, 0x00, 0x20, 0x4a, 0x3c, 0xf3, 0x8f, 0xef, 0x69,
    0x92, 0xbd, 0xa9, 0x52, 0xc6, 0x78, 0x04, 0x17, 0xda, 0x0f, 0x24, 0x81, 0x94, 0x15, 0x56,
    0x9e, 0x60, 0xb2, 0x05, 0xc4, 0x6e, 0x41, 0x40, 0x7f, 0x17, 0x04, 0x00, 0x15, 0x00, 0x29,
    0x6f, 0x62, 0x4d, 0x61, 0x74, 0x4a, 0x6f, 0x73, 0x32, 0x41, 0x41, 0x41, 0x43, 0x66, 0x2f,
    0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36, 0x4f, 0x4c, 0x33, 0x34, 0x6f,
    0x4c, 0x39, 0x46, 0x53, 0x54, 0x76, 0x79, 0x36, 0x34, 0x73, 0x41, 0x00, 0x00, 0x00, 0x00,
    0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00,
    0x00, 0x1d, 0x00, 0x04, 0x00, 0x02, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x20, 0xb5, 0xc7, 0xbf,
    0x00, 0x5b, 0x6c, 0x52, 0xa2, 0x1c, 0x51, 0xc5, 0xe8, 0x92, 0xf8, 0x19, 0x24, 0x13, 0x62,
    0x96, 0xcb, 0x92, 0x7c, 0x43, 0x14, 0x93, 0x09, 0x27, 0x8c, 0xc6, 0x51, 0x8e, 0x65,
};

static void rfc8489_long_term_sha256(void **state)
{
	static const char user[] =
	    "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";
	_Alignas(8) uint8_t buf[sizeof(long_term_sha256)];
	struct stun_key key = {.len = 32};
	uint8_t hash[32];
	struct stun_msg m;
	struct wire w;

	(void)state;
	memcpy(buf, long_term_sha256, sizeof(buf));
	assert_int_equal(stun_msg_parse(&m, buf, sizeof(buf)), 0);
	wire_userhash(user, "example.org", hash);
	assert_memory_equal(m.attr[STUN_ATTR_USERHASH].value, hash, 32);
	assert_memory_equal(m.attr[STUN_ATTR_PASSWORD_ALGORITHM].value, "\0\2\0\0", 4);
	wire_key256(user, "example.org", "TheMatrIX", key.bytes);
	assert_true(stun_msg_integrity_ok(&m, STUN_SHA256, &key));
	assert_false(stun_msg_integrity_ok(&m, STUN_SHA1, &key));
	assert_memory_equal(buf, long_term_sha256, sizeof(buf));
	for (size_t i = 20; i < 128; i++) {
		buf[i] ^= 0x10;
		assert_false(stun_msg_integrity_ok(&m, STUN_SHA256, &key));
		buf[i] ^= 0x10;
	}
	/* section 14.6: 16 to 32 bytes, a multiple of 4 */
	for (size_t cut = 0; cut <= 40; cut++) {
		bool legal = cut >= 16 && cut <= 32 && cut % 4 == 0;

		wire_start(&w, W_BINDING, 1);
		wire_add_integrity256(&w, key.bytes, 32, cut);
		if (cut > 32)
			memset(w.buf + 24 + 32, 0, cut - 32);
		assert_int_equal(stun_msg_parse(&m, w.buf, w.len), legal ? 0 : -E_PARSE);
		assert_true(!legal || stun_msg_integrity_ok(&m, STUN_SHA256, &key));
	}
}

static void rfc5769_addresses(void **state)
{
	/* the XOR-MAPPED-ADDRESS values of sections 2.2 and 2.3 */
	static const uint8_t v4[] = {0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43};
	static const uint8_t v6[] = {0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3,
	                             0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9};
	_Alignas(8) uint8_t buf[256], head[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	struct stun_msg request;
	struct stun_out out;
	struct addr a;
	size_t n;

	(void)state;
	memcpy(head + 8, tid_2_2, 12);
	assert_int_equal(stun_msg_parse(&request, head, sizeof(head)), 0);
	stun_out_reply(&out, buf, sizeof(buf), &request, STUN_SUCCESS);
	assert_int_equal(addr_parse(&a, "192.0.2.1:32853"), 0);
	stun_out_add_xor_addr(&out, STUN_TYPE_XOR_MAPPED_ADDRESS, &a);
	assert_memory_equal(wire_get(buf, out.len, ATTR_XOR_MAPPED_ADDRESS, &n), v4, sizeof(v4));
	stun_out_reply(&out, buf, sizeof(buf), &request, STUN_SUCCESS);
	assert_int_equal(addr_parse(&a, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"), 0);
	stun_out_add_xor_addr(&out, STUN_TYPE_XOR_MAPPED_ADDRESS, &a);
	assert_memory_equal(wire_get(buf, out.len, ATTR_XOR_MAPPED_ADDRESS, &n), v6, sizeof(v6));
	stun_out_add_fingerprint(&out);
	assert_false(out.failed);
	/* and it reads its own fingerprint, but not a wrong one */
	assert_int_equal(stun_msg_parse(&request, buf, out.len), 0);
	assert_true(request.has_fingerprint);
	buf[out.len - 1] ^= 1;
	assert_int_equal(stun_msg_parse(&request, buf, out.len), -E_PARSE);
}

static void peers_are_read(void **state)
{
	static const char *const peers[] = {"192.0.2.1:7", "[2001:db8::9]:65535", "8.8.8.8:0"};
	struct wire w;
	struct stun_msg m;
	struct addr a;
	char text[ADDR_STRLEN];

	(void)state;
	wire_start(&w, W_CREATE_PERMISSION, 99);
	for (int i = 0; i < 3; i++)
		wire_add_peer(&w, peers[i]);
	assert_int_equal(stun_msg_parse(&m, w.buf, w.len), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(stun_msg_peer(&m, i, &a), 0);
		assert_string_equal(addr_format(&a, text), peers[i]);
	}
	assert_int_equal(stun_msg_peer(&m, 3, &a), -E_NOTFOUND);
	wire_add(&w, ATTR_XOR_PEER_ADDRESS, "\0\1xx", 4); /* too short for an address */
	assert_int_equal(stun_msg_parse(&m, w.buf, w.len), 0);
	assert_int_equal(stun_msg_peer(&m, 3, &a), -E_PARSE);
}

/* RFC 8489 section 14.5: what comes behind MESSAGE-INTEGRITY is ignored. */
static void attributes_behind_integrity_are_ignored(void **state)
{
	struct stun_key key = {16, "0123456789abcdef"};
	struct wire w;
	struct stun_msg m;
	struct addr a;

	(void)state;
	wire_start(&w, W_CREATE_PERMISSION, 5);
	wire_add_integrity(&w, key.bytes);
	wire_add_peer(&w, "8.8.8.8:1");
	wire_add_u32(&w, ATTR_LIFETIME, 7);
	wire_add_u32(&w, 0x7777, 7);
	wire_add_fingerprint(&w);
	assert_int_equal(stun_msg_parse(&m, w.buf, w.len), 0);
	assert_true(stun_msg_integrity_ok(&m, STUN_SHA1, &key));
	assert_int_equal(stun_msg_peer(&m, 0, &a), -E_NOTFOUND);
	assert_false(stun_msg_has(&m, STUN_ATTR_LIFETIME));
	assert_int_equal(m.unknown_n, 0);
	assert_true(m.has_fingerprint);
}

/* MESSAGE-INTEGRITY-SHA256 alone may follow MESSAGE-INTEGRITY, and protects it, too. */
static void order_of_the_integrities(void **state)
{
	struct stun_key key = {16, "0123456789abcdef"};
	struct wire w;
	struct stun_msg m;

	(void)state;
	wire_start(&w, W_REFRESH, 5);
	wire_add_integrity(&w, key.bytes);
	wire_add_u32(&w, ATTR_LIFETIME, 7);
	wire_add_integrity256(&w, key.bytes, 16, 32);
	wire_add_u32(&w, ATTR_LIFETIME, 8);
	wire_add_integrity(&w, key.bytes);
	assert_int_equal(stun_msg_parse(&m, w.buf, w.len), 0);
	assert_true(stun_msg_integrity_ok(&m, STUN_SHA1, &key));
	assert_true(stun_msg_integrity_ok(&m, STUN_SHA256, &key));
	assert_int_equal(m.integrity_at, 20);
	assert_false(stun_msg_has(&m, STUN_ATTR_LIFETIME));
	wire_start(&w, W_REFRESH, 5);
	wire_add_integrity256(&w, key.bytes, 16, 32);
	wire_add_integrity(&w, key.bytes);
	wire_add_u32(&w, ATTR_LIFETIME, 8);
	assert_int_equal(stun_msg_parse(&m, w.buf, w.len), 0);
	assert_false(stun_msg_has(&m, STUN_ATTR_MESSAGE_INTEGRITY));
	assert_false(stun_msg_integrity_ok(&m, STUN_SHA1, &key));
	assert_true(stun_msg_integrity_ok(&m, STUN_SHA256, &key));
	assert_false(stun_msg_has(&m, STUN_ATTR_LIFETIME));
}

static void nonsense_is_refused(void **state)
{
	struct wire w;
	struct stun_msg m;
	_Alignas(8) uint8_t buf[2048];

	(void)state;
	wire_start(&w, W_ALLOCATE, 1);
	wire_add_transport(&w, IPPROTO_UDP);
	wire_add_str(&w, ATTR_USERNAME, "alice");
	assert_int_equal(stun_msg_parse(&m, w.buf, w.len), 0);
	for (size_t cut = 0; cut < w.len; cut++)
		assert_int_equal(stun_msg_parse(&m, w.buf, cut), -E_PARSE);
	w.buf[4] ^= 1; /* cookie */
	assert_int_equal(stun_msg_parse(&m, w.buf, w.len), -E_PARSE);
	w.buf[4] ^= 1;
	w.buf[30] = 0xff; /* an attribute that runs over the end */
	assert_int_equal(stun_msg_parse(&m, w.buf, w.len), -E_PARSE);
	/* Any bytes at any length: never a crash (the sanitizers watch), never out of bounds. */
	srand(8489);
	for (int i = 0; i < 300000; i++) {
		size_t len = 20 + (size_t)(rand() % 30) * 4;

		for (size_t k = 0; k < len; k++)
			buf[k] = (uint8_t)(rand() % 4 ? rand() % 40 : rand());
		buf[0] = 0;
		memcpy(buf + 4, "\x21\x12\xa4\x42", 4);
		buf[2] = 0;
		buf[3] = (uint8_t)(len - 20);
		if (!stun_msg_parse(&m, buf, len)) {
			struct addr a;

			for (size_t n = 0; !stun_msg_peer(&m, n, &a); n++)
				;
			stun_msg_integrity_ok(&m, STUN_SHA1, &(struct stun_key){.len = 16});
			stun_msg_integrity_ok(&m, STUN_SHA256, &(struct stun_key){.len = 32});
		}
	}
}

static void replies_do_not_overflow(void **state)
{
	_Alignas(8) uint8_t buf[64 + 8], head[20] = {0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	struct stun_msg request;
	struct stun_out out;

	(void)state;
	assert_int_equal(stun_msg_parse(&request, head, sizeof(head)), 0);
	memset(buf, 0xaa, sizeof(buf));
	stun_out_reply(&out, buf, 64, &request, STUN_ERROR);
	stun_out_add(&out, STUN_TYPE_REALM, "abcde", 5);
	assert_false(out.failed);
	assert_true(wire_sound(buf, out.len)); /* poisoned before, zero-padded now */
	stun_out_add_integrity(&out, STUN_SHA1, &(struct stun_key){.len = 16});
	assert_false(out.failed);
	stun_out_add_u32(&out, STUN_TYPE_LIFETIME, 1);
	assert_false(out.failed); /* to the last byte */
	stun_out_add(&out, STUN_TYPE_LIFETIME, "", 0);
	assert_true(out.failed);
	assert_int_equal(buf[64], 0xaa);
	stun_out_add(&out, STUN_TYPE_NONCE, "", 0); /* it stays failed */
	assert_true(out.failed);
}

static void data_indication_in_place(void **state)
{
	static const char *const peers[] = {"9.8.7.6:5432", "[2001:db8::1:2]:80"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		for (size_t len = 0; len < 9; len++) {
			_Alignas(8) uint8_t buf[128];
			struct addr peer, got;
			size_t total, n;
			uint8_t *m;

			memset(buf, 0xee, sizeof(buf));
			memcpy(buf + 64, "payload!", 8);
			assert_int_equal(addr_parse(&peer, peers[i]), 0);
			m = stun_wrap_data_indication(buf + 64, len, &peer, tid_2_2, &total);
			assert_true(m >= buf + 64 - STUN_DATA_HEAD_MAX);
			assert_true(wire_sound(m, total));
			assert_int_equal(wire_type(m), W_DATA);
			assert_true(wire_get_xor_addr(m, total, ATTR_XOR_PEER_ADDRESS, &got));
			assert_true(addr_equal(&got, &peer));
			assert_memory_equal(wire_get(m, total, ATTR_DATA, &n), "payload!", len);
			assert_int_equal(n, len);
		}
	}
}

/* However a stream is cut, the same messages come out; and no length makes it lose step. */
static void frames_in_a_stream(void **state)
{
	static uint8_t stream[400000];
	size_t starts[64], count = 0, end = 0;
	struct wire w;

	(void)state;
	for (size_t body = 65520; body <= 65532; body += 4) {
		wire_start(&w, W_BINDING, 1);
		starts[count++] = end;
		memcpy(stream + end, w.buf, 20);
		stream[end + 2] = (uint8_t)(body >> 8);
		stream[end + 3] = (uint8_t)body;
		end += 20 + body;
	}
	for (size_t len = 0; len < 9; len++) {
		starts[count++] = end;
		memcpy(stream + end, (uint8_t[]){0x40, 1, 0, (uint8_t)len}, 4);
		end += 4 + ((len + 3) & ~(size_t)3);
	}
	starts[count++] = end;
	memcpy(stream + end, "\x7f\xff\xff\xff", 4);
	end += 4 + 65536;
	starts[count] = end;
	for (size_t i = 0; i < count; i++) {
		size_t len = 0, want = starts[i + 1] - starts[i];

		for (size_t have = 0; have <= want; have++) {
			int r = turn_frame_len(stream + starts[i], have, &len);

			assert_true(r == 0 || (r == -E_LATER && have < TURN_FRAME_HEAD_LEN));
			assert_true(r || len == want);
		}
		assert_true(len <= TURN_FRAME_MAX);
	}
	for (int first = 0; first < 256; first++) {
		uint8_t head[8] = {(uint8_t)first};
		size_t len;

		assert_int_equal(turn_frame_len(head, 8, &len),
		                 first >= 64 && first < 128 ? 0 : -E_PARSE);
	}
	assert_int_equal(turn_frame_len((const uint8_t *)"\0\1\0\3", 4, &end), -E_PARSE);
	assert_int_equal(turn_frame_len((const uint8_t *)"\0\1\0\0GET", 7, &end), -E_PARSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rfc5769_long_term),
	    cmocka_unit_test(rfc8489_long_term_sha256),
	    cmocka_unit_test(rfc5769_addresses),
	    cmocka_unit_test(peers_are_read),
	    cmocka_unit_test(attributes_behind_integrity_are_ignored),
	    cmocka_unit_test(order_of_the_integrities),
	    cmocka_unit_test(nonsense_is_refused),
	    cmocka_unit_test(replies_do_not_overflow),
	    cmocka_unit_test(data_indication_in_place),
	    cmocka_unit_test(frames_in_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
