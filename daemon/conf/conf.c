/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Loading the configuration: default, file, environment, command line.
 */
#include "daemon/conf/conf.h"

#include "daemon/conf/conf_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_LEN 8192
#define ENV_PREFIX   "TURNPIKE_"

/* An option of the command line, before its turn. Borrows from argv. */
struct arg {
	const struct conf_option *option;
	const char *value;
};

struct loader {
	struct conf *conf;
	struct conf_source *sources;
	struct arg *args;
	size_t arg_n;
	const char *config; /* the file's path */
	enum conf_source_kind kind;
	int err; /* of the first problem */
	struct why why;
	void (*problem)(void *ctx, const char *text);
	void *ctx;
};

/* The text goes to terminals and logs: bytes that steer them are shown as '?'. */
static void tell(void *ctx, const char *text)
{
	struct loader *l = ctx;
	struct why why;
	size_t i;

	for (i = 0; text[i] && i + 1 < sizeof(why.text); i++)
		why.text[i] = iscntrl((unsigned char)text[i]) ? '?' : text[i];
	why.text[i] = 0;
	if (!l->err) {
		l->err = l->kind == SOURCE_ARGS ? -E_INVAL : -E_PARSE;
		l->why = why;
	}
	if (l->problem)
		l->problem(l->ctx, why.text);
}

__attribute__((format(printf, 2, 3))) static void tellf(struct loader *l, const char *fmt, ...)
{
	struct why why;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why.text, sizeof(why.text), fmt, ap);
	va_end(ap);
	tell(l, why.text);
}

static void unknown(struct loader *l, const char *where, const char *name)
{
	const struct conf_option *near = conf_option_near(name);

	if (near)
		tellf(l, "%s: there is no option \"%.64s\": did you mean %s?", where, name,
		      near->name);
	else
		tellf(l, "%s: there is no option \"%.64s\": see turnpike --help", where, name);
}

static void apply(struct loader *l, const struct conf_option *o, const char *where,
                  const char *text)
{
	struct conf_source *source = &l->sources[o - conf_options];
	struct why why = {{0}};

	if (source->kind != l->kind)
		conf_value_clear(l->conf, o); /* a stronger source replaces a list as a whole */
	else if (l->kind == SOURCE_FILE && !o->type->element)
		tellf(l, "%s: also set at %s: remove one of the two", where, source->where);
	source->kind = l->kind;
	snprintf(source->where, sizeof(source->where), "%s", where);
	if (conf_value_set(l->conf, o, text, &why))
		tellf(l, "%s: %s", where, why.text);
}

/* systemd names the folder that it made for StateDirectory=. */
static bool load_state_directory(struct loader *l, char *const *envp)
{
	static const char name[] = "STATE_DIRECTORY=";
	char path[4096];

	for (; envp && *envp; envp++) {
		const char *value = *envp + sizeof(name) - 1;

		if (strncmp(*envp, name, sizeof(name) - 1) != 0 || *value != '/')
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)strcspn(value, ":"), value);
		apply(l, conf_option_find("data"), "STATE_DIRECTORY", path);
		return true;
	}
	return false;
}

static void load_defaults(struct loader *l, char *const *envp)
{
	char where[CONF_WHERE_MAX];

	l->kind = SOURCE_DEFAULT;
	for (size_t i = 0; i < conf_option_n; i++) {
		if (!strcmp(conf_options[i].name, "data") && load_state_directory(l, envp))
			continue;
		snprintf(where, sizeof(where), "the default of %s", conf_options[i].name);
		apply(l, &conf_options[i], where, conf_options[i].def);
	}
}

/* ---- file ---- */

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (*s && isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = 0;
	return s;
}

/* Cuts a comment: '#' where a word could begin. */
static void cut_comment(char *s)
{
	for (char *p = s; *p; p++) {
		if (*p == '#' && (p == s || isspace((unsigned char)p[-1]))) {
			*p = 0;
			return;
		}
	}
}

static void load_line(struct loader *l, const char *place, char *line)
{
	const struct conf_option *o;
	char where[CONF_WHERE_MAX];
	char *key, *value, *quote;

	key = trim(line);
	if (!*key || *key == '#')
		return;
	value = strchr(key, '=');
	if (!value) {
		tellf(l, "%s: \"%.64s\" is not a setting: write key = value", place, key);
		return;
	}
	*value++ = 0;
	key = trim(key);
	value = trim(value);
	if (*value == '"') { /* what quotes enclose is taken as it is */
		quote = strchr(++value, '"');
		if (quote)
			cut_comment(quote + 1);
		if (!quote || *trim(quote + 1)) {
			tellf(l, "%s: %.64s: the quotes are not closed: write \"value\"", place,
			      key);
			return;
		}
		*quote = 0;
	} else {
		cut_comment(value);
		value = trim(value);
	}
	o = conf_option_find(key);
	if (!o) {
		unknown(l, place, key);
		return;
	}
	snprintf(where, sizeof(where), "%.180s: %s", place, o->name);
	apply(l, o, where, value);
}

/* Docker puts secrets there, 0444 in a folder that only the container has. */
static bool is_containers_secret(const char *path)
{
	return !strncmp(path, "/run/secrets/", 13) || !strncmp(path, "/var/run/secrets/", 17);
}

/* Every local user who can read it could issue credentials. */
static void check_private(struct loader *l, FILE *file, const char *where, const char *path)
{
	struct stat st;

	if (!fstat(fileno(file), &st) && S_ISREG(st.st_mode) && st.st_mode & S_IROTH &&
	    !is_containers_secret(path))
		tellf(l,
		      "%s: everybody on this host can read the secret in %.160s: chmod o-r %.160s",
		      where, path, path);
}

static void check_file_secrets(struct loader *l, FILE *file)
{
	for (size_t i = 0; i < conf_option_n; i++) {
		if (!conf_options[i].secret || l->sources[i].kind != SOURCE_FILE)
			continue;
		check_private(l, file, l->sources[i].where, l->config);
		return;
	}
}

static void load_file(struct loader *l)
{
	char line[LINE_MAX_LEN], place[192];
	unsigned number = 0;
	FILE *file;

	if (!l->config)
		return;
	file = fopen(l->config, "re");
	if (!file) {
		tellf(l, "%.200s: cannot read the configuration file: %s: correct --config%s",
		      l->config, strerror(errno),
		      errno == EACCES ? ", or let the server's user read it" : "");
		return;
	}
	l->kind = SOURCE_FILE;
	while (fgets(line, sizeof(line), file)) {
		size_t len = strlen(line);

		snprintf(place, sizeof(place), "%.160s:%u", l->config, ++number);
		/* A NUL ends the text early, too. */
		if ((!len || line[len - 1] != '\n') && !feof(file)) {
			tellf(l, "%s: the line is too long or is not text", place);
			break;
		}
		load_line(l, place, line);
	}
	check_file_secrets(l, file);
	if (ferror(file))
		tellf(l, "%.200s: cannot read the configuration file: %s: correct --config",
		      l->config, strerror(errno));
	explicit_bzero(line, sizeof(line));
	fclose(file);
}

/* ---- environment ---- */

/* "TURNPIKE_X=value": the name's rest in lower case; NULL for other variables. */
static const char *env_split(const char *var, char name[CONF_NAME_MAX])
{
	const char *equals = strchr(var, '=');
	size_t skip = strlen(ENV_PREFIX), n = 0;

	if (!equals || strncmp(var, ENV_PREFIX, skip) != 0)
		return NULL;
	for (const char *p = var + skip; p < equals && n + 1 < CONF_NAME_MAX; p++)
		name[n++] = (char)tolower((unsigned char)*p);
	name[n] = 0;
	return equals + 1;
}

/* Kubernetes puts TURNPIKE_PORT, TURNPIKE_SERVICE_HOST and their like beside every service that
 * is called turnpike. */
static bool is_kubernetes(const char *name)
{
	return !strcmp(name, "port") || !strncmp(name, "port_", 5) || !strncmp(name, "service_", 8);
}

static void load_secret_file(struct loader *l, const struct conf_option *o, const char *where,
                             const char *path)
{
	char text[1024];
	size_t len;
	FILE *file = fopen(path, "re");

	if (!file) {
		tellf(l, "%s: cannot read %.200s: %s: correct the path", where, path,
		      strerror(errno));
		return;
	}
	check_private(l, file, where, path);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = 0;
	if (ferror(file) || !feof(file) || strlen(text) != len) {
		tellf(l, "%s: %.200s does not contain a short text", where, path);
	} else {
		if (len && text[len - 1] == '\n')
			text[len - 1] = 0;
		apply(l, o, where, text);
	}
	explicit_bzero(text, sizeof(text));
	fclose(file);
}

static void load_variable(struct loader *l, const char *var, const char *name, const char *value)
{
	const struct conf_option *o = conf_option_find(name);
	char where[CONF_NAME_MAX], base[CONF_NAME_MAX];
	size_t len = strlen(name);

	snprintf(where, sizeof(where), "%.*s", (int)strcspn(var, "="), var);
	snprintf(base, sizeof(base), "%s", name);
	if (o) {
		if (o->secret && l->sources[o - conf_options].kind == SOURCE_ENV)
			tellf(l, "%s and %s_FILE are both set: remove one", where, where);
		apply(l, o, where, value);
		return;
	}
	if (len > 5 && !strcmp(name + len - 5, "_file")) {
		base[len - 5] = 0;
		o = conf_option_find(base);
	}
	if (o && !o->secret) {
		conf_env_name(o, base);
		tellf(l, "%s: only secrets are read from files: set %s", where, base);
	} else if (o) {
		if (l->sources[o - conf_options].kind == SOURCE_ENV)
			tellf(l, "%s and the variable without _FILE are both set: remove one",
			      where);
		load_secret_file(l, o, where, value);
	} else if (strcmp(name, "config") != 0 && !is_kubernetes(name)) {
		unknown(l, where, name);
	}
}

static void load_env(struct loader *l, char *const *envp)
{
	char name[CONF_NAME_MAX];

	l->kind = SOURCE_ENV;
	for (; envp && *envp; envp++) {
		const char *value = env_split(*envp, name);

		/* Compose files pass variables that are not set as empty ones. */
		if (value && *value)
			load_variable(l, *envp, name, value);
	}
}

/* ---- command line ---- */

/* "--relay-ports" or "--relay-ports=..." -> the option; NULL for what is not ours. */
static const struct conf_option *arg_option(const char *arg)
{
	char name[CONF_NAME_MAX];
	size_t n;

	if (strncmp(arg, "--", 2) != 0)
		return NULL;
	n = strcspn(arg + 2, "=");
	if (!n || n >= sizeof(name))
		return NULL;
	memcpy(name, arg + 2, n);
	name[n] = 0;
	if (strchr(name, '_'))
		return NULL; /* flags have hyphens */
	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return conf_option_find(name);
}

/* Moves our flags from argv to l->args. */
static void split_args(struct loader *l, int *argc, char **argv)
{
	int kept = 1, i;

	l->kind = SOURCE_ARGS;
	for (i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		const struct conf_option *o = arg_option(argv[i]);
		bool is_config =
		    !strncmp(argv[i], "--config", 8) && (!argv[i][8] || argv[i][8] == '=');
		const char *value = strchr(argv[i], '=');
		int flag_len = (int)strcspn(argv[i], "=");

		if (!o && !is_config) {
			argv[kept++] = argv[i];
			continue;
		}
		if (o && o->secret) {
			tellf(l,
			      "%.*s: everybody on this host could read it in the list of "
			      "processes: use the file or the environment",
			      flag_len, argv[i]);
			if (!value && i + 1 < *argc)
				i++;
			continue;
		}
		if (value) {
			value++;
		} else if (o && !*o->metavar) {
			value = "yes";
		} else if (i + 1 < *argc && strncmp(argv[i + 1], "--", 2) != 0) {
			value = argv[++i];
		} else {
			tellf(l, "%s: the value is missing: write %s %s", argv[i], argv[i],
			      o ? o->metavar : "FILE");
			continue;
		}
		if (is_config)
			l->config = value;
		else
			l->args[l->arg_n++] = (struct arg){o, value};
	}
	for (; i < *argc; i++)
		argv[kept++] = argv[i];
	argv[kept] = NULL;
	*argc = kept;
}

static void load_args(struct loader *l)
{
	char flag[CONF_NAME_MAX];

	l->kind = SOURCE_ARGS;
	for (size_t i = 0; i < l->arg_n; i++) {
		conf_flag_name(l->args[i].option, flag);
		apply(l, l->args[i].option, flag, l->args[i].value);
	}
}

/* The command line names the file, else the environment does. */
static void find_config(struct loader *l, char *const *envp)
{
	char name[CONF_NAME_MAX];

	for (; !l->config && envp && *envp; envp++) {
		const char *value = env_split(*envp, name);

		if (value && *value && !strcmp(name, "config"))
			l->config = value;
	}
}

int conf_read(int *argc, char **argv, char *const *envp, struct conf *conf,
              struct conf_source **sources, void (*problem)(void *ctx, const char *text), void *ctx,
              struct why *why)
{
	struct loader l = {.conf = conf, .problem = problem, .ctx = ctx};

	memset(conf, 0, sizeof(*conf));
	l.sources = calloc(conf_option_n, sizeof(*l.sources));
	l.args = calloc((size_t)*argc + 1, sizeof(*l.args));
	if (!l.sources || !l.args) {
		l.err = why_set(&l.why, -E_NOMEM, "out of memory");
		goto out;
	}
	split_args(&l, argc, argv);
	find_config(&l, envp);
	load_defaults(&l, envp);
	load_file(&l);
	load_env(&l, envp);
	load_args(&l);
	if (!l.err) { /* half of a configuration contradicts itself easily */
		l.kind = SOURCE_DEFAULT;
		conf_rules(conf, l.sources, tell, &l);
	}
out:
	if (l.err) {
		conf_free(conf);
		why_set(why, l.err, "%s", l.why.text);
	}
	if (sources)
		*sources = l.err ? NULL : l.sources;
	if (!sources || l.err)
		free(l.sources);
	free(l.args);
	return l.err;
}

int conf_check(int *argc, char **argv, char *const *envp, struct conf *conf,
               void (*problem)(void *ctx, const char *text), void *ctx, struct why *why)
{
	return conf_read(argc, argv, envp, conf, NULL, problem, ctx, why);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf_option_n; i++)
		conf_value_clear(conf, &conf_options[i]);
	memset(conf, 0, sizeof(*conf));
}
