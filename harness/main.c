/* SPDX-License-Identifier: BSD-3-Clause
 *
 * turnpike-harness: proves the appliance with real browsers behind real NATs.
 */
#include "harness/browser/browser.h"
#include "harness/clock.h"
#include "harness/report/report.h"
#include "harness/run.h"
#include "harness/scenarios/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define ONLY_MAX 64

enum exit_status { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_LAB = 3 };

struct options {
	const struct scenario *only[ONLY_MAX];
	size_t only_n;
	const char *junit, *json, *keep;
	char turnpike[PATH_MAX], browser[PATH_MAX];
	FILE *junit_file, *json_file;
	int keep_fd;
};

static void print_help(FILE *f)
{
	fputs("Usage: turnpike-harness run [OPTION]...\n"
	      "       turnpike-harness list\n"
	      "       turnpike-harness --help | --version\n"
	      "\n"
	      "Runs turnpike with real browsers behind real NATs, in network namespaces of\n"
	      "its own. Needs no root. Nothing is left behind, whatever happens.\n"
	      "\n"
	      "Options of run:\n"
	      "  --only SCENARIO   run this one; may be given more than once (default: all)\n"
	      "  --junit FILE      write a report as JUnit XML\n"
	      "  --json FILE       write a report as JSON\n"
	      "  --keep DIR        keep logs, browser consoles and screenshots there\n"
	      "  --turnpike PATH   the server's program (default: beside this one)\n"
	      "  --browser PATH    the browser (default: chromium-headless-shell, chromium)\n"
	      "\n"
	      "Exit status: 0 all passed, 1 a scenario failed, 2 wrong usage, 3 the lab could\n"
	      "not be built on this machine.\n",
	      f);
}

static int usage_error(const char *fmt, const char *what)
{
	fputs("turnpike-harness: ", stderr);
	fprintf(stderr, fmt, what);
	fputs("\nTry 'turnpike-harness --help'.\n", stderr);
	return EXIT_USAGE;
}

static int list_scenarios(void)
{
	for (size_t i = 0; i < scenarios_n; i++)
		printf("%-24s %s\n", scenarios[i].name, scenarios[i].purpose);
	return EXIT_PASSED;
}

/* The program beside this one. */
static int find_turnpike(const char *wanted, char path[PATH_MAX])
{
	char self[PATH_MAX], beside[PATH_MAX + 16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (!wanted && n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		*slash = '\0';
		snprintf(beside, sizeof(beside), "%s/turnpike", self);
		wanted = beside;
	}
	if (wanted && realpath(wanted, path) && access(path, X_OK) == 0)
		return 0;
	fprintf(stderr,
	        "turnpike-harness: there is no program %s: build turnpike, or name it with "
	        "--turnpike\n",
	        wanted ? wanted : "turnpike");
	return EXIT_USAGE;
}

/* The outputs are opened before anything runs: a wrong path should not cost a run. */
static int open_report(const char *path, FILE **f)
{
	if (!path)
		return 0;
	*f = fopen(path, "we");
	if (*f)
		return 0;
	fprintf(stderr, "turnpike-harness: cannot write %s: %s\n", path, strerror(errno));
	return EXIT_USAGE;
}

static int open_outputs(struct options *o)
{
	o->keep_fd = -1;
	if (open_report(o->junit, &o->junit_file) != 0 || open_report(o->json, &o->json_file) != 0)
		return EXIT_USAGE;
	if (!o->keep)
		return 0;
	if (mkdir(o->keep, 0755) != 0 && errno != EEXIST) {
		fprintf(stderr, "turnpike-harness: cannot make the folder %s: %s\n", o->keep,
		        strerror(errno));
		return EXIT_USAGE;
	}
	o->keep_fd = open(o->keep, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->keep_fd < 0) {
		fprintf(stderr, "turnpike-harness: cannot open the folder %s: %s\n", o->keep,
		        strerror(errno));
		return EXIT_USAGE;
	}
	return 0;
}

static int parse_run(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
	    {"only", required_argument, NULL, 'o'},     {"junit", required_argument, NULL, 'u'},
	    {"json", required_argument, NULL, 'j'},     {"keep", required_argument, NULL, 'k'},
	    {"turnpike", required_argument, NULL, 't'}, {"browser", required_argument, NULL, 'b'},
	    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
	const char *turnpike = NULL, *browser = NULL;
	struct why why;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'o':
			if (o->only_n == ONLY_MAX)
				return usage_error("%s", "--only given too often");
			o->only[o->only_n] = scenario_find(optarg);
			if (!o->only[o->only_n++])
				return usage_error(
				    "there is no scenario %s (see 'turnpike-harness list')",
				    optarg);
			break;
		case 'u':
			o->junit = optarg;
			break;
		case 'j':
			o->json = optarg;
			break;
		case 'k':
			o->keep = optarg;
			break;
		case 't':
			turnpike = optarg;
			break;
		case 'b':
			browser = optarg;
			break;
		case 'h':
			print_help(stdout);
			exit(EXIT_PASSED);
		case '?':
		default:
			fputs("Try 'turnpike-harness --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("unexpected argument %s", argv[optind]);
	for (size_t i = 0; o->only_n == 0 && i < scenarios_n; i++)
		o->only[i] = &scenarios[i];
	if (o->only_n == 0)
		o->only_n = scenarios_n;
	if (find_turnpike(turnpike, o->turnpike) != 0)
		return EXIT_USAGE;
	if (browser_find(BROWSER_CHROMIUM, browser, o->browser, &why) != 0) {
		fprintf(stderr, "turnpike-harness: %s\n", why.text);
		return browser ? EXIT_USAGE : EXIT_NO_LAB;
	}
	return open_outputs(o);
}

static int write_reports(const struct options *o, const struct run *run)
{
	int err = 0;

	if (o->junit_file && report_junit(o->junit_file, run) != 0) {
		fprintf(stderr, "turnpike-harness: writing %s failed\n", o->junit);
		err = EXIT_FAILED;
	}
	if (o->json_file && report_json(o->json_file, run) != 0) {
		fprintf(stderr, "turnpike-harness: writing %s failed\n", o->json);
		err = EXIT_FAILED;
	}
	return err;
}

/* Dies of the signal that it was sent, as a shell wants to know; everything is cleared away. */
static void die_of_signal(int signal_fd, const sigset_t *set)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	signal((int)info.ssi_signo, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, set, NULL);
	raise((int)info.ssi_signo);
}

static int do_run(struct options *o)
{
	struct scenario_options so = {
	    .turnpike = o->turnpike, .browser = o->browser, .keep_fd = o->keep_fd};
	int64_t start = clock_mono_ms();
	int signal_fd, status, err = 0;
	struct run run;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (signal_fd < 0 || run_new(&run, o->only_n) != 0) {
		perror("turnpike-harness");
		return EXIT_FAILED;
	}
	report_text_head(stdout);
	for (size_t i = 0; i < o->only_n && err == 0; i++) {
		err = run_scenario(&run, o->only[i], &so, signal_fd);
		report_text_line(stdout, &run.result[run.result_n - 1]);
	}
	run.duration_ms = clock_mono_ms() - start;
	report_text_end(stdout, &run);
	status = run_exit_status(&run);
	if (write_reports(o, &run) != 0)
		status = EXIT_FAILED;
	run_free(&run);
	if (err != 0)
		die_of_signal(signal_fd, &set);
	close(signal_fd);
	return status;
}

int main(int argc, char **argv)
{
	struct options o = {.only_n = 0};
	const char *verb = argc > 1 ? argv[1] : "";
	int status;

	if (strcmp(verb, "--help") == 0) {
		print_help(stdout);
		return EXIT_PASSED;
	}
	if (strcmp(verb, "--version") == 0) {
		puts("turnpike-harness " TURNPIKE_VERSION);
		return EXIT_PASSED;
	}
	if (strcmp(verb, "list") == 0)
		return argc > 2 ? usage_error("unexpected argument %s", argv[2]) : list_scenarios();
	if (strcmp(verb, "run") != 0) {
		if (!*verb)
			return usage_error("%s", "say what to do: run or list");
		return usage_error("there is no command %s", verb);
	}
	status = parse_run(&o, argc - 1, argv + 1);
	return status == EXIT_PASSED ? do_run(&o) : status;
}
