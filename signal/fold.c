/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names: their cleaning, and the form by which they are compared. Unicode Standard Annex 15 (the
 * normalization forms), Unicode section 3.13 (casefold), by libunistring's tables.
 */
#include "signal/fold.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#define RAW_MAX      (3 * HUB_NAME_MAX) /* of a name: it may come decomposed */
#define COMPOSED_MAX (3 * RAW_MAX)      /* NFC takes few characters apart, U+1D160 into three */

struct alike {
	uint16_t code, as;
};

static const struct alike alikes[] = {
#define ALIKE(code, as) {code, as},
#include "signal/alike.def"
#undef ALIKE
};

enum { ALIKES = sizeof(alikes) / sizeof(alikes[0]) };

/* Clients put names into innerHTML, and into logs and lists that people read: no markup, and
 * nothing that is not printable. The null notehead is a blank that Unicode calls a symbol; the
 * object replacement character stands for something that is not there. */
static bool is_refused(const struct text_char *c)
{
	return !c->printable || c->code == 0x1d159 || c->code == 0xfffc ||
	       (c->code < 0x80 && strchr("<>&\"'`", (int)c->code));
}

static bool is_mark(uint32_t code)
{
	return code >= 0x300 &&
	       uc_is_general_category_withtable(code, UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Me);
}

/* Writes at most max bytes, cut between two characters; returns the length. */
static size_t filter(const char *text, size_t len, char *out, size_t max)
{
	unsigned marks = FOLD_MARKS_MAX; /* none may come first */
	struct text_char c;
	size_t n = 0;

	for (size_t at = 0; at < len; at += c.len) {
		c = text_at(text, len, at);
		if (is_refused(&c) || (!n && c.code == ' '))
			continue;
		/* ZWJ, ZWNJ and VS16 in their places are no marks, and no letters either. */
		if (!is_mark(c.code))
			marks = c.code == ' ' ? FOLD_MARKS_MAX : 0;
		else if (++marks > FOLD_MARKS_MAX)
			continue;
		if (n + c.len > max)
			break;
		memcpy(out + n, text + at, c.len);
		n += c.len;
	}
	while (n && out[n - 1] == ' ')
		n--;
	return n;
}

/* Returns the length, or 0 without memory. */
static size_t compose(const char *text, size_t len, char out[COMPOSED_MAX])
{
	size_t n = COMPOSED_MAX;
	uint8_t *got = u8_normalize(UNINORM_NFC, (const uint8_t *)text, len, (uint8_t *)out, &n);

	if (got && got != (uint8_t *)out) /* larger than it can be */
		free(got);
	return got == (uint8_t *)out ? n : 0;
}

/* Until nothing changes: what stood beside it may have made a character printable, and a mark may
 * have found another letter. */
size_t fold_clean(const char *wanted, char out[HUB_NAME_MAX + 1])
{
	char text[RAW_MAX], composed[COMPOSED_MAX];
	size_t n = filter(wanted, strlen(wanted), text, RAW_MAX), len;

	do {
		len = compose(text, n, composed);
		n = filter(composed, len, text, HUB_NAME_MAX);
	} while (n != len);
	memcpy(out, text, n);
	out[n] = '\0';
	return n;
}

static uint32_t as_alike(uint32_t code)
{
	unsigned low = 0, high = ALIKES;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (alikes[mid].code < code)
			low = mid + 1;
		else
			high = mid;
	}
	return low < ALIKES && alikes[low].code == code ? alikes[low].as : code;
}

/* Nearly all names are ASCII, and each message with a target asks for one. Returns whether it is
 * one. */
static bool fold_ascii(const char *name, size_t len, char out[FOLD_MAX + 1], size_t *out_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)name[i];

		if (c >= 0x80)
			return false;
		if (c == ' ' && n && out[n - 1] == ' ')
			continue;
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		out[n++] = (char)as_alike(c);
	}
	*out_len = n;
	return true;
}

/* Drops what nobody sees: it also keeps marks from their order. */
static size_t drop_unseen(const char *name, size_t len, uint8_t *out)
{
	size_t n = 0;
	ucs4_t code;
	int bytes;

	for (size_t at = 0; at < len; at += (size_t)bytes) {
		bytes = u8_mbtoucr(&code, (const uint8_t *)name + at, len - at);
		if (bytes < 0)
			return 0;
		if (uc_is_property_default_ignorable_code_point(code))
			continue;
		memcpy(out + n, name + at, (size_t)bytes);
		n += (size_t)bytes;
	}
	return n;
}

/* Casefold and NFKD of text, in place. Returns the new length, or 0. */
static size_t fold_case(uint8_t text[FOLD_MAX], size_t len)
{
	uint8_t buf[FOLD_MAX];
	size_t n = sizeof(buf);
	uint8_t *got = u8_casefold(text, len, NULL, UNINORM_NFKD, buf, &n);

	if (!got || n > FOLD_MAX)
		n = 0;
	if (n)
		memcpy(text, got, n);
	if (got != buf)
		free(got);
	return n;
}

size_t fold_name(const char *name, char out[FOLD_MAX + 1])
{
	uint8_t text[FOLD_MAX];
	size_t len = strlen(name), n = 0;
	ucs4_t code;
	int bytes;

	*out = '\0';
	if (len > HUB_NAME_MAX)
		return 0;
	if (!fold_ascii(name, len, out, &n)) {
		len = drop_unseen(name, len, text);
		/* Twice: the decomposition may bring capitals. */
		len = len ? fold_case(text, len) : 0;
		len = len ? fold_case(text, len) : 0;
		n = 0;
		for (size_t at = 0; at < len; at += (size_t)bytes) {
			bytes = u8_mbtouc(&code, text + at, len - at);
			if (code == ' ' && n && out[n - 1] == ' ')
				continue;
			/* No look-alike is longer. */
			n += (size_t)u8_uctomb((uint8_t *)out + n, as_alike(code), bytes);
		}
	}
	out[n] = '\0';
	return n;
}
