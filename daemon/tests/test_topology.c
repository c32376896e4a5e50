/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses: which are served, relayed on, told outside and warned about. Each
 * test runs in a network of its own, whose addresses it makes.
 */
#include "base/tests/test.h"
#include "daemon/listen/topology.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int log_fd = -1;

/* An address of this network's loopback device; 127.0.0.1 is the first, others are aliases. */
static void add_address(int n, const char *ip)
{
	struct ifreq r = {.ifr_flags = 0};
	struct addr a;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (n)
		snprintf(r.ifr_name, sizeof(r.ifr_name), "lo:%d", n);
	else
		snprintf(r.ifr_name, sizeof(r.ifr_name), "lo");
	if (addr_parse_ip(&a, ip, 0))
		_exit(90);
	memcpy(&r.ifr_addr, &a.in, sizeof(a.in));
	if (ioctl(fd, SIOCSIFADDR, &r))
		_exit(91);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &r))
		_exit(92);
	close(fd);
}

static bool logged(const char *text)
{
	char buf[8192];
	ssize_t n = pread(log_fd, buf, sizeof(buf) - 1, 0);

	buf[n < 0 ? 0 : n] = 0;
	return strstr(buf, text) != NULL;
}

/* The topology of a command line; its code. */
static int make(struct topology *t, struct conf *conf, struct why *why, const char *args)
{
	char line[512], *argv[32] = {"turnpike"}, *save = NULL;
	int argc = 1;

	snprintf(line, sizeof(line), "%s", args);
	for (char *p = strtok_r(line, " ", &save); p; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	if (conf_check(&argc, argv, NULL, conf, NULL, NULL, why)) {
		fprintf(stderr, "%s\n", why->text);
		_exit(93);
	}
	return topology_new(conf, t, why);
}

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what);                         \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* The relay's external address for clients that came in on ip. */
static const char *relay_for(const struct topology *t, const char *ip, char text[ADDR_STRLEN])
{
	struct listen_addr from;
	int i;

	CHECK(!addr_parse_ip(&from.addr, ip, 3478));
	from.loopback = addr_is_loopback(&from.addr);
	i = topology_relay_for(t, &from, AF_INET);
	return i == TURN_NO_RELAY ? "none" : addr_format_ip(&t->relay[i].external, text);
}

#define LISTEN "--listen 0.0.0.0:3478 "

static void private_only(struct topology *t, struct conf *conf, struct why *why)
{
	char text[ADDR_STRLEN];

	add_address(1, "10.1.2.3");
	CHECK(!make(t, conf, why, LISTEN));
	CHECK(t->relay_n == 2 && !t->relay_public[0] && !t->relay_public[1]);
	CHECK(logged("no-public-address") && logged("10.1.2.3") && logged("external_ip"));
	CHECK(!strcmp(relay_for(t, "10.1.2.3", text), "10.1.2.3"));
	CHECK(!strcmp(relay_for(t, "127.0.0.1", text), "10.1.2.3"));
}

static void mapped(struct topology *t, struct conf *conf, struct why *why)
{
	char text[ADDR_STRLEN];

	add_address(1, "10.1.2.3");
	CHECK(!make(t, conf, why, LISTEN "--external-ip 45.45.0.9"));
	CHECK(!logged("no-public-address"));
	CHECK(logged("external=45.45.0.9") && logged("from=external_ip"));
	CHECK(!strcmp(relay_for(t, "10.1.2.3", text), "45.45.0.9"));
}

static void mapped_by_address(struct topology *t, struct conf *conf, struct why *why)
{
	char text[ADDR_STRLEN];

	add_address(1, "10.1.2.3");
	add_address(2, "10.9.9.9");
	CHECK(!make(t, conf, why,
	            LISTEN "--external-ip 10.1.2.3=45.45.0.9 --external-ip "
	                   "10.9.9.9=45.45.0.10"));
	CHECK(!strcmp(relay_for(t, "10.1.2.3", text), "45.45.0.9"));
	CHECK(!strcmp(relay_for(t, "10.9.9.9", text), "45.45.0.10"));
}

static void mapping_of_another_host(struct topology *t, struct conf *conf, struct why *why)
{
	char text[ADDR_STRLEN];

	add_address(1, "10.1.2.3");
	CHECK(!make(t, conf, why, LISTEN "--external-ip 10.1.2.4=45.45.0.9"));
	CHECK(logged("event=address-not-here option=external_ip address=10.1.2.4"));
	CHECK(!strcmp(relay_for(t, "10.1.2.3", text), "10.1.2.3"));
}

/* The host has a global address: it is found, and used for clients that come in on the private one.
 */
static void own_global_address(struct topology *t, struct conf *conf, struct why *why)
{
	char text[ADDR_STRLEN];

	add_address(1, "10.1.2.3");
	add_address(2, "45.45.0.1");
	CHECK(!make(t, conf, why, LISTEN));
	CHECK(!logged("no-public-address") && logged("reach=internet"));
	CHECK(!strcmp(relay_for(t, "45.45.0.1", text), "45.45.0.1"));
	CHECK(!strcmp(relay_for(t, "10.1.2.3", text), "45.45.0.1"));
	CHECK(!strcmp(relay_for(t, "127.0.0.1", text), "45.45.0.1"));
}

static void loopback_only(struct topology *t, struct conf *conf, struct why *why)
{
	char text[ADDR_STRLEN];

	CHECK(!make(t, conf, why, LISTEN));
	CHECK(!logged("no-public-address")); /* a trial on one's own machine is no mistake */
	CHECK(!strcmp(relay_for(t, "127.0.0.1", text), "127.0.0.1"));
	CHECK(!strcmp(relay_for(t, "10.1.2.3", text), "none"));
}

static void relay_of_another_host(struct topology *t, struct conf *conf, struct why *why)
{
	char text[ADDR_STRLEN];

	CHECK(!make(t, conf, why, LISTEN "--relay-address 10.7.7.7"));
	CHECK(logged("event=address-not-here option=relay_address address=10.7.7.7"));
	CHECK(!strcmp(relay_for(t, "127.0.0.1", text), "none"));
}

static void discovery_is_for_named_addresses(struct topology *t, struct conf *conf, struct why *why)
{
	add_address(1, "45.45.0.1");
	CHECK(!make(t, conf, why, "--listen 45.45.0.1:3478 --listen 0.0.0.0:3479"));
	for (size_t i = 0; i < t->udp_n; i++) {
		char text[ADDR_STRLEN];
		bool named = !strcmp(addr_format_ip(&t->udp[i].addr, text), "45.45.0.1");

		CHECK(topology_discovers(conf, &t->udp[i]) == named);
	}
}

static void look(struct topology *t, const struct conf *conf, uint64_t now_ms, bool changes,
                 bool again)
{
	bool changed = false;
	uint64_t again_ms = 0;
	struct why why;

	CHECK(!topology_follow(conf, t, now_ms, &changed, &again_ms, &why));
	CHECK(changed == changes && (again_ms != 0) == again);
}

/* An address comes, goes for a moment, and goes for good: it keeps its place, which another gets
 * only then. */
static void addresses_come_and_go(struct topology *t, struct conf *conf, struct why *why)
{
	char text[ADDR_STRLEN];
	int place;

	add_address(1, "45.45.0.1");
	CHECK(!make(t, conf, why, LISTEN));
	CHECK(t->udp_n == 2 && t->relay_n == 2);
	look(t, conf, 10000, false, false);
	add_address(2, "10.1.2.3");
	look(t, conf, 20000, true, false);
	CHECK(t->udp_n == 3 && t->relay_n == 3 && t->relay[2].presence == TURN_HERE);
	CHECK(addr_port(&t->udp[2].addr) == 3478 && !t->udp[2].served);
	add_address(2, "10.1.2.4"); /* instead */
	look(t, conf, 30000, true, true);
	CHECK(t->udp_n == 4 && t->udp[2].presence == TURN_AWAY);
	CHECK(t->relay[2].presence == TURN_AWAY && t->relay_n == 4);
	add_address(2, "10.1.2.3"); /* back */
	look(t, conf, 31000, true, true);
	CHECK(t->relay[2].presence == TURN_HERE && t->relay[3].presence == TURN_AWAY);
	look(t, conf, 31001, false, true);
	look(t, conf, 31000 + TOPOLOGY_GRACE_MS, true, false);
	CHECK(t->udp_n == 3 && t->relay[3].presence == TURN_GONE);
	add_address(2, "10.1.2.5");
	look(t, conf, 50000, true, true);
	CHECK(t->relay_n == 4 && t->relay[3].presence == TURN_HERE);
	place = topology_relay_for(t, &(struct listen_addr){.addr = t->relay[3].local}, AF_INET);
	CHECK(!strcmp(addr_format_ip(&t->relay[place].local, text), "45.45.0.1"));
}

static void says_of_ipv6_alone(struct topology *t, struct conf *conf, struct why *why)
{
	add_address(1, "10.1.2.3");
	CHECK(!make(t, conf, why, "--listen [::]:3478 --listen 0.0.0.0:3479"));
	CHECK(logged("event=ipv6-only port=3478"));
	CHECK(topology_ipv6_only_port(t) == 3478);
}

typedef void scene_fn(struct topology *t, struct conf *conf, struct why *why);

static void play(scene_fn *scene)
{
	struct topology t;
	struct conf conf;
	struct why why = {{0}};
	FILE *log = tmpfile();
	int status;
	pid_t pid;

	assert_non_null(log);
	log_fd = fileno(log);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			_exit(77);
		log_set_fd(log_fd);
		add_address(0, "127.0.0.1");
		scene(&t, &conf, &why);
		topology_free(&t);
		conf_free(&conf);
		fclose(log);
		exit(0); /* with the leak check */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fclose(log);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		assert_null(getenv("CI"));
		print_message("no network namespaces here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define SCENE(name)                                                                                \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		play(name);                                                                        \
	}
SCENE(private_only)
SCENE(mapped)
SCENE(mapped_by_address)
SCENE(mapping_of_another_host)
SCENE(own_global_address)
SCENE(loopback_only)
SCENE(relay_of_another_host)
SCENE(discovery_is_for_named_addresses)
SCENE(addresses_come_and_go)
SCENE(says_of_ipv6_alone)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_private_only),
	    cmocka_unit_test(test_mapped),
	    cmocka_unit_test(test_mapped_by_address),
	    cmocka_unit_test(test_mapping_of_another_host),
	    cmocka_unit_test(test_own_global_address),
	    cmocka_unit_test(test_loopback_only),
	    cmocka_unit_test(test_relay_of_another_host),
	    cmocka_unit_test(test_discovery_is_for_named_addresses),
	    cmocka_unit_test(test_addresses_come_and_go),
	    cmocka_unit_test(test_says_of_ipv6_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
