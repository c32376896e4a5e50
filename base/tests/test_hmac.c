/* SPDX-License-Identifier: BSD-3-Clause
 *
 * HMAC against the vectors of RFC 2202 and RFC 4231, in any order and thread.
 */
#include "base/hmac.h"
#include "base/tests/test.h"

#include <pthread.h>
#include <string.h>

#define WHAT "what do ya want for nothing?"

struct vector {
	enum hmac_digest digest;
	const char *key;
	size_t key_len;
	const char *data;
	const uint8_t mac[HMAC_SHA256_LEN];
};

static const char long_key[131] = {[0 ... 130] = (char)0xaa};

static const struct vector vectors[] = {
    /* RFC 2202 section 3, case 2 */
    {HMAC_SHA1, "Jefe", 4, WHAT, {0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74,
                                  0x16, 0xd5, 0xf1, 0x84, 0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79}},
    /* RFC 4231 section 4.3, and 4.7: a key longer than a block */
    {HMAC_SHA256, "Jefe", 4, WHAT, {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                                    0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
                                    0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
                                    0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43}},
    {HMAC_SHA256,
     long_key,
     sizeof(long_key),
     "Test Using Larger Than Block-Size Key - Hash Key First",
     {0x60, 0xe4, 0x31, 0x59, 0x1e, 0xe0, 0xb6, 0x7f, 0x0d, 0x8a, 0x26,
      0xaa, 0xcb, 0xf5, 0xb7, 0x7f, 0x8e, 0x0b, 0xc6, 0x21, 0x37, 0x28,
      0xc5, 0x14, 0x05, 0x46, 0x04, 0x0f, 0x0e, 0xe3, 0x7f, 0x54}},
    /* no key and no data: known of old, `openssl mac -digest SHA1 -macopt hexkey: HMAC` */
    {HMAC_SHA1, NULL, 0, "", {0xfb, 0xdb, 0x1d, 0x1b, 0x18, 0xaa, 0x6c, 0x08, 0x32, 0x4b,
                              0x7d, 0x64, 0xb7, 0x1f, 0xb7, 0x63, 0x70, 0x69, 0x0e, 0x1d}},
};

#define VECTORS (sizeof(vectors) / sizeof(*vectors))

static size_t wrong(void)
{
	size_t n = 0;

	for (size_t i = 0; i < 4 * VECTORS; i++) {
		const struct vector *v = &vectors[i * 3 % VECTORS];
		size_t len = v->digest == HMAC_SHA1 ? HMAC_SHA1_LEN : HMAC_SHA256_LEN;
		uint8_t mac[HMAC_SHA256_LEN + 1];

		memset(mac, 0x5a, sizeof(mac));
		hmac(v->digest, v->key, v->key_len, v->data, strlen(v->data), mac);
		n += memcmp(mac, v->mac, len) != 0 || mac[len] != 0x5a;
	}
	return n;
}

static void vectors_hold(void **state)
{
	(void)state;
	assert_int_equal(wrong(), 0);
}

static void *in_thread(void *arg)
{
	*(size_t *)arg = wrong();
	return NULL;
}

static void every_thread_has_its_own(void **state)
{
	size_t found[4] = {1, 1, 1, 1};
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, in_thread, &found[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(found[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_hold),
	    cmocka_unit_test(every_thread_has_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
