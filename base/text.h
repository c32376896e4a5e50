/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Text from outside: bytes with a length and any content. These functions say what is printable and
 * how to show the rest.
 *
 * A character is printable when a reader sees it, when it does not change how the text around it
 * reads, and when nobody can take it for nothing or for a blank: no control (C0, C1), no mark of
 * direction, nothing that Unicode calls default ignorable (joiners, soft hyphen, fillers, tags), no
 * blank but the space, no separator, nothing of private use. Three are printable in their place:
 * ZERO WIDTH JOINER between emoji and behind a virama, ZERO WIDTH NON-JOINER where it changes how
 * letters join (RFC 5892 appendix A), VARIATION SELECTOR-16 behind an emoji.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_char {
	uint32_t code;
	uint8_t len;    /* bytes; 1 for a byte that is not UTF-8 */
	bool is_utf8;   /* RFC 3629: no overlong forms, no surrogates */
	bool printable; /* in its place */
};

/* The character at that place of a text of len bytes; at must be less than len. */
struct text_char text_at(const char *text, size_t len, size_t at);

bool text_is_utf8(const void *text, size_t len);

/* The one rule for names: all of it is printable UTF-8. NUL is not allowed in a name either. */
bool text_is_printable(const char *text, size_t len);

enum text_style {
	TEXT_SHOWN, /* unprintable characters as ⟨U+061C⟩, a byte that is not UTF-8 as ⟨0x9B⟩; the
	             * bracket ⟨ as ⟨U+27E8⟩, so that nothing else looks like that */
	TEXT_AGAIN,  /* the same for a text that may hold shown parts: leaves ⟨ alone */
	TEXT_QUOTED, /* as between quotes: \u{61c}, \x9b, \" and \\ */
};

#define TEXT_SHOWN_MAX(len) (14 * (len) + 1) /* for any text of len bytes, with NUL */

/* Writes a printable form of a text, NUL-terminated, cut before the first character without room.
 * Different texts come out different, unless they are cut. Returns the length. */
size_t text_show(char *out, size_t size, const char *text, size_t len, enum text_style style);

/* Writes n bytes as 2 n hexadecimal digits and NUL. */
void text_hex(char *out, const uint8_t *bytes, size_t n);

#endif
