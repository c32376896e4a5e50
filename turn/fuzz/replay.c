/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Feeds the files of directories to a fuzz target: the corpus is a test of every run, with any
 * compiler.
 */
#include "turn/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 70000

static int replay_file(const char *path)
{
	static uint8_t buf[FILE_MAX];
	FILE *file = fopen(path, "rbe");
	uint8_t *exact;
	size_t len;

	if (!file) {
		perror(path);
		return -1;
	}
	len = fread(buf, 1, sizeof(buf), file);
	fclose(file);
	printf("%s\n", path);
	fflush(stdout);                /* if it crashes, its name is on the screen */
	exact = malloc(len ? len : 1); /* so that the sanitizer sees the end */
	memcpy(exact, buf, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 0;
}

int main(int argc, char **argv)
{
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *e;

		if (!dir) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		while ((e = readdir(dir))) {
			char path[4096];

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			if (replay_file(path))
				return EXIT_FAILURE;
			n++;
		}
		closedir(dir);
	}
	printf("%zu inputs\n", n);
	return n ? EXIT_SUCCESS : EXIT_FAILURE; /* an empty corpus tests nothing */
}
