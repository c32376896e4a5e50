/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The report as one HTML file: a page, its script and the run as JSON blocks,
 * a block a cell, so that a browser parses only the cells that are looked at.
 * The file is bounded: what does not fit is left out and named.
 */
#include "harness/report/artifacts.h"
#include "harness/report/json.h"
#include "harness/report/markup.h"
#include "harness/report/report.h"

#include "harness/report/cell_js.h"
#include "harness/report/report_css.h"
#include "harness/report/report_js.h"
#include "harness/report/report_page.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CELL_FILES   48  /* artifacts looked at in one folder */
#define NAME_COST    400 /* at most, of naming what was left out */
#define NOSCRIPT_MAX 50
#define DUMP         (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY)

/* One artifact of one cell. */
struct item {
	size_t cell; /* index of its result */
	char name[64];
	size_t size, cost; /* bytes of the file, and in the report */
	bool left_out;
};

struct page {
	FILE *f;
	const struct run *run;
	int artifacts_fd; /* -1: none */
	size_t limit;
	struct item *item; /* by cell */
	size_t item_n, item_room;
};

/* ---- JSON inside HTML ---- */

/* '<' is the one character that could end a script block, and in JSON it stands in strings only;
 * everything beyond ASCII is escaped by the encoder. */
static int put_json_bytes(const char *bytes, size_t len, void *arg)
{
	FILE *f = arg;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '<')
			fputs("\\u003c", f);
		else
			fputc(bytes[i], f);
	}
	return ferror(f) ? -1 : 0;
}

static int count_json_bytes(const char *bytes, size_t len, void *arg)
{
	size_t *n = arg;

	for (size_t i = 0; i < len; i++)
		*n += bytes[i] == '<' ? 6 : 1;
	return 0;
}

static size_t json_cost(const json_t *json)
{
	size_t n = 0;

	json_dump_callback(json, count_json_bytes, &n, DUMP);
	return n;
}

static int put_json_block(FILE *f, const json_t *json, const char *id)
{
	int err;

	fprintf(f, "<script type=\"application/json\" id=\"%s\">", id);
	err = json && json_dump_callback(json, put_json_bytes, f, DUMP) == 0 ? 0 : -E_IO;
	fputs("</script>\n", f);
	return err;
}

/* ---- which artifacts there are ---- */

static json_t *new_cell(void)
{
	return json_pack("{s:[], s:[], s:{}, s:[], s:[]}", "steps", "logs", "evidence", "shots",
	                 "captures");
}

static int open_folder(const struct page *p, size_t cell)
{
	const char *name = p->run->result[cell].name;

	if (p->artifacts_fd < 0 || !*name || strchr(name, '/') || name[0] == '.')
		return -1;
	return openat(p->artifacts_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int add_item(struct page *p, size_t cell, int folder_fd, const char *name)
{
	struct item *item;
	struct stat st;
	json_t *json;
	int err;

	if (p->item_n == p->item_room) {
		size_t room = p->item_room ? 2 * p->item_room : 256;

		item = reallocarray(p->item, room, sizeof(*item));
		if (!item)
			return -E_NOMEM;
		p->item = item;
		p->item_room = room;
	}
	if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return 0;
	json = new_cell();
	err = artifact_add(json, folder_fd, name);
	item = &p->item[p->item_n++];
	*item = (struct item){.cell = cell, .size = (size_t)st.st_size};
	snprintf(item->name, sizeof(item->name), "%.*s", (int)sizeof(item->name) - 1, name);
	/* Names an item that cannot be shown like one that does not fit. */
	item->left_out = err != 0;
	item->cost = err == 0 ? json_cost(json) : 0;
	json_decref(json);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static int scan_cell(struct page *p, size_t cell)
{
	int fd = open_folder(p, cell), err = 0;
	size_t first = p->item_n;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return 0; /* a cell that was not played has none */
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -E_NOMEM;
	}
	while (err == 0 && p->item_n - first < CELL_FILES && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);
		char clean[sizeof(p->item->name)];

		if (entry->d_name[0] == '.' || len >= sizeof(clean) ||
		    artifact_kind(entry->d_name) == ARTIFACT_OTHER)
			continue;
		/* Our own names are plain; a program's may be anything. */
		memcpy(clean, entry->d_name, len + 1);
		result_clean(clean);
		if (!strcmp(clean, entry->d_name))
			err = add_item(p, cell, dirfd(dir), entry->d_name);
	}
	closedir(dir);
	if (p->item_n > first)
		qsort(&p->item[first], p->item_n - first, sizeof(*p->item), by_name);
	return err;
}

/* ---- what fits ---- */

static bool passed(const struct page *p, const struct item *item)
{
	return p->run->result[item->cell].state == RESULT_PASSED;
}

static json_t *results_json(const struct page *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->run->result_n; i++)
		json_array_append_new(list, json_of_result(&p->run->result[i]));
	return list;
}

/* The order of leaving: qsort has no context, so the pointers carry what decides. */
struct leaver {
	bool passed;
	size_t cost;
	struct item *item;
};

static int by_leaving(const void *a, const void *b)
{
	const struct leaver *x = a, *y = b;

	if (x->passed != y->passed)
		return x->passed ? -1 : 1;
	return x->cost > y->cost ? -1 : x->cost < y->cost;
}

static int make_fit(struct page *p)
{
	json_t *results = results_json(p);
	size_t total = sizeof(report_page) + sizeof(report_css) + sizeof(report_js) +
	               sizeof(cell_js) + json_cost(results) + 64 * 1024;
	struct leaver *leaver = NULL;

	json_decref(results);
	total += p->run->result_n * 160; /* the frame of a block */
	for (size_t i = 0; i < p->item_n; i++)
		total += p->item[i].cost + NAME_COST;
	if (total <= p->limit || p->item_n == 0)
		return 0;
	leaver = calloc(p->item_n, sizeof(*leaver));
	if (!leaver)
		return -E_NOMEM;
	for (size_t i = 0; i < p->item_n; i++)
		leaver[i] = (struct leaver){passed(p, &p->item[i]), p->item[i].cost, &p->item[i]};
	qsort(leaver, p->item_n, sizeof(*leaver), by_leaving);
	for (size_t i = 0; i < p->item_n && total > p->limit; i++) {
		leaver[i].item->left_out = true;
		total -= leaver[i].cost;
	}
	free(leaver);
	return 0;
}

/* ---- the parts of the page ---- */

static void put_noscript(const struct page *p)
{
	size_t shown = 0;

	fputs("<ul>\n", p->f);
	for (size_t i = 0; i < p->run->result_n && shown < NOSCRIPT_MAX; i++) {
		const struct result *r = &p->run->result[i];

		if (r->state == RESULT_PASSED || r->failure_n == 0)
			continue;
		fputs("<li>", p->f);
		markup_put(p->f, r->name);
		fputc(':', p->f);
		for (size_t k = 0; k < r->failure_n; k++) {
			fputc(' ', p->f);
			markup_put(p->f, r->failure[k]);
		}
		fputs("</li>\n", p->f);
		shown++;
	}
	fputs(shown ? "</ul>\n" : "<li>none</li></ul>\n", p->f);
}

static int put_head_block(const struct page *p)
{
	json_t *left = json_array(), *top;
	int err;

	for (size_t i = 0; i < p->item_n; i++) {
		const struct item *item = &p->item[i];

		if (item->left_out)
			json_array_append_new(
			    left, json_pack("{s:I, s:s, s:s, s:I}", "id", (json_int_t)item->cell,
			                    "cell", p->run->result[item->cell].name, "name",
			                    item->name, "size", (json_int_t)item->size));
	}
	top = json_pack("{s:o, s:o, s:o, s:I}", "run", json_of_run(p->run), "results",
	                results_json(p), "left_out", left, "limit", (json_int_t)p->limit);
	err = put_json_block(p->f, top, "run");
	json_decref(top);
	return err;
}

static int put_cell_block(const struct page *p, size_t cell, size_t from, size_t to)
{
	int fd = open_folder(p, cell), err;
	json_t *json = new_cell();
	char id[32];

	for (size_t i = from; i < to && fd >= 0; i++) {
		if (!p->item[i].left_out)
			artifact_add(json, fd, p->item[i].name); /* it could a moment ago */
	}
	if (fd >= 0)
		close(fd);
	snprintf(id, sizeof(id), "cell-data-%zu", cell);
	err = put_json_block(p->f, json, id);
	json_decref(json);
	return err;
}

static int put_data(const struct page *p)
{
	int err = put_head_block(p);

	for (size_t from = 0, to; from < p->item_n && err == 0; from = to) {
		size_t cell = p->item[from].cell;

		for (to = from; to < p->item_n && p->item[to].cell == cell;)
			to++;
		err = put_cell_block(p, cell, from, to);
	}
	return err;
}

static int put_part(const struct page *p, const char *name, size_t len)
{
	char verdict[256];

	run_verdict(p->run, verdict, sizeof(verdict));
	if (!strncmp(name, "TITLE", len)) {
		fputs("Calls through NATs: ", p->f);
		markup_put(p->f, verdict);
	} else if (!strncmp(name, "VERDICT", len)) {
		markup_put(p->f, verdict);
	} else if (!strncmp(name, "CSS", len)) {
		fputs(report_css, p->f);
	} else if (!strncmp(name, "JS", len)) {
		fputs(report_js, p->f);
		fputs(cell_js, p->f);
	} else if (!strncmp(name, "NOSCRIPT", len)) {
		put_noscript(p);
	} else if (!strncmp(name, "DATA", len)) {
		return put_data(p);
	}
	return 0;
}

/* The template with its @PARTS@. */
static int put_page(const struct page *p)
{
	const char *at = report_page;
	int err = 0;

	while (*at && err == 0) {
		size_t plain = strcspn(at, "@"), len;

		fwrite(at, 1, plain, p->f);
		at += plain;
		len = *at ? strspn(at + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
		if (len > 0 && at[len + 1] == '@') {
			err = put_part(p, at + 1, len);
			at += len + 2;
		} else if (*at) {
			fputc(*at++, p->f);
		}
	}
	return err;
}

int report_html_within(FILE *f, const struct run *run, int artifacts_fd, size_t limit)
{
	struct page p = {.f = f, .run = run, .artifacts_fd = artifacts_fd, .limit = limit};
	int err = 0;

	for (size_t i = 0; i < run->result_n && err == 0; i++)
		err = scan_cell(&p, i);
	if (err == 0)
		err = make_fit(&p);
	if (err == 0)
		err = put_page(&p);
	free(p.item);
	if (fflush(f) != 0 || ferror(f))
		err = -E_IO;
	return err;
}

int report_html(FILE *f, const struct run *run, int artifacts_fd)
{
	return report_html_within(f, run, artifacts_fd, REPORT_HTML_BYTES);
}
