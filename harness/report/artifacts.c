/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading artifacts: logs become cleaned lines, evidence is parsed, binary
 * files become base64.
 */
#include "harness/report/artifacts.h"

#include "harness/report/result.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && !strcmp(name + n - m, end);
}

enum artifact_kind artifact_kind(const char *name)
{
	if (!strcmp(name, "steps.log"))
		return ARTIFACT_STEPS;
	if (ends_with(name, ".log"))
		return ARTIFACT_LOG;
	if (!strcmp(name, "evidence-a.json") || !strcmp(name, "evidence-b.json"))
		return ARTIFACT_EVIDENCE;
	if (ends_with(name, ".png"))
		return ARTIFACT_PICTURE;
	if (ends_with(name, ".pcap"))
		return ARTIFACT_CAPTURE;
	return ARTIFACT_OTHER;
}

/* The file's last bytes, NUL-terminated; *size: of the whole file. NULL if it cannot be read. */
static char *read_tail(int fd, size_t limit, size_t *len, size_t *size)
{
	size_t got = 0, want;
	struct stat st;
	char *text;
	off_t from;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return NULL;
	*size = (size_t)st.st_size;
	want = *size < limit ? *size : limit;
	from = st.st_size - (off_t)want;
	text = malloc(want + 1);
	while (text && got < want) {
		ssize_t n = pread(fd, text + got, want - got, from + (off_t)got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (text)
		text[got] = '\0';
	*len = got;
	return text;
}

/* Cuts text (of len bytes, NULs among them) into an array of clean lines. */
static json_t *clean_lines(char *text, size_t len)
{
	json_t *lines = json_array();
	char *next;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0')
			text[i] = '?';
		else if (text[i] == '\r')
			text[i] = ' ';
	}
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	for (char *line = text; len > 0 && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		result_clean(line);
		json_array_append_new(lines, json_string(line));
	}
	return lines;
}

static int add_log(json_t *cell, int fd, const char *name)
{
	bool steps = artifact_kind(name) == ARTIFACT_STEPS;
	size_t len, size, n, from;
	json_t *lines, *tail;
	bool cut;
	char *text = read_tail(fd, steps ? ARTIFACT_STEPS_BYTES : ARTIFACT_LOG_BYTES, &len, &size);

	if (!text)
		return -E_IO;
	lines = clean_lines(text, len);
	free(text);
	if (steps)
		return json_object_set_new(cell, "steps", lines) == 0 ? 0 : -E_NOMEM;
	/* The first line of a tail is half a line. */
	n = json_array_size(lines);
	from = len < size && n > 1 ? 1 : 0;
	if (n - from > ARTIFACT_LINES)
		from = n - ARTIFACT_LINES;
	cut = from > 0 || len < size;
	tail = json_array();
	for (size_t i = from; i < n; i++)
		json_array_append(tail, json_array_get(lines, i));
	json_decref(lines);
	json_array_append_new(json_object_get(cell, "logs"),
	                      json_pack("{s:s, s:I, s:b, s:o}", "name", name, "size",
	                                (json_int_t)size, "cut", cut, "lines", tail));
	return 0;
}

/* Only what the page's script relies on, so that it can rely on it. */
static bool is_evidence(const json_t *json)
{
	const json_t *candidates = json_object_get(json, "candidates");
	const json_t *series = json_object_get(json, "series");

	return json_is_array(json_object_get(json, "events")) &&
	       json_is_array(json_object_get(candidates, "local")) &&
	       json_is_array(json_object_get(candidates, "remote")) &&
	       json_is_array(json_object_get(json, "pairs")) &&
	       json_is_array(json_object_get(series, "fields")) &&
	       json_is_array(json_object_get(series, "rows"));
}

static int add_evidence(json_t *cell, int fd, const char *name)
{
	const char end[2] = {name[strlen("evidence-")], '\0'};
	size_t len, size;
	json_t *json;
	char *text = read_tail(fd, ARTIFACT_JSON_BYTES, &len, &size);

	if (!text)
		return -E_IO;
	json = len == size ? json_loadb(text, len, 0, NULL) : NULL;
	free(text);
	if (!is_evidence(json)) {
		json_decref(json);
		return len == size ? -E_PARSE : -E_LIMIT;
	}
	return json_object_set_new(json_object_get(cell, "evidence"), end, json) == 0 ? 0
	                                                                              : -E_NOMEM;
}

static json_t *base64(const char *data, size_t len)
{
	unsigned char *text = malloc(4 * ((len + 2) / 3) + 1);
	json_t *json;
	int n;

	if (!text)
		return NULL;
	n = EVP_EncodeBlock(text, (const unsigned char *)data, (int)len);
	json = json_stringn((const char *)text, (size_t)n);
	free(text);
	return json;
}

static int add_binary(json_t *cell, int fd, const char *name)
{
	bool picture = artifact_kind(name) == ARTIFACT_PICTURE;
	size_t len, size;
	json_t *file;
	char *data = read_tail(fd, ARTIFACT_FILE_BYTES, &len, &size);
	int err = 0;

	if (!data)
		return -E_IO;
	file = json_pack("{s:s, s:I}", "name", name, "size", (json_int_t)size);
	if (picture && (len < 8 || memcmp(data, "\x89PNG\r\n\x1a\n", 8) != 0))
		err = len < size ? -E_LIMIT : -E_PARSE;
	else if (len == size)
		json_object_set_new(file, "data", base64(data, len));
	free(data);
	if (err == 0)
		json_array_append(json_object_get(cell, picture ? "shots" : "captures"), file);
	json_decref(file);
	return err;
}

int artifact_add(json_t *cell, int folder_fd, const char *name)
{
	/* No link is followed, and a pipe is not waited for. */
	int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err = -E_IO;

	if (fd < 0)
		return err;
	switch (artifact_kind(name)) {
	case ARTIFACT_STEPS:
	case ARTIFACT_LOG:
		err = add_log(cell, fd, name);
		break;
	case ARTIFACT_EVIDENCE:
		err = add_evidence(cell, fd, name);
		break;
	case ARTIFACT_PICTURE:
	case ARTIFACT_CAPTURE:
		err = add_binary(cell, fd, name);
		break;
	case ARTIFACT_OTHER:
		err = -E_INVAL;
		break;
	}
	close(fd);
	return err;
}
