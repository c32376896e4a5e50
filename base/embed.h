/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Files built into the program and served from there: the assembler includes them. turnpike_embed()
 * in CMakeLists.txt says where they are.
 */
#ifndef BASE_EMBED_H
#define BASE_EMBED_H

#include <stddef.h>

struct embed_file {
	const char *path; /* as in the URL */
	const char *content_type;
	const unsigned char *data;
	const unsigned char *end;
};

/* At file scope: symbol and symbol_end become the file's bytes and their end. EMBED_DIR comes from
 * CMake, which also rebuilds the source when one of its files changes. */
#define EMBED(symbol, file)                                                                        \
	__asm__(".section .rodata\n"                                                               \
	        ".global " #symbol "\n"                                                            \
	        ".global " #symbol "_end\n" #symbol ":\n"                                          \
	        ".incbin \"" EMBED_DIR "/" file "\"\n" #symbol "_end:\n"                           \
	        ".byte 0\n"                                                                        \
	        ".previous\n");                                                                    \
	extern const unsigned char symbol[], symbol##_end[];

#define EMBED_HTML "text/html; charset=utf-8"
#define EMBED_CSS  "text/css; charset=utf-8"
#define EMBED_JS   "text/javascript; charset=utf-8"
#define EMBED_SVG  "image/svg+xml"

/* The file of that path, or NULL. */
const struct embed_file *embed_find(const struct embed_file *files, size_t n, const char *path);

#endif
