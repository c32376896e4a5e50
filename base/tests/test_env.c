/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Both environments behind the same checks: one on real sockets, one on
 * virtual time.
 */
#include "base/tests/either.h"
#include "base/tests/test.h"

#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
	struct env *env;
	struct event_base *base; /* NULL: virtual */
	struct env_udp *a, *b;
	unsigned int got_a, got_b, fired;
	size_t got_len;
	uint8_t last, last_tos;
	unsigned int errors;
	struct env_udp_error error;
	int close_on_receive;
};

static void run(struct world *w, uint64_t ms)
{
	either_run(w->env, w->base, ms);
}

/* Echoes in place, with a byte put in front, as a relay does with its header. */
static void on_a(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct world *w = arg;

	for (size_t i = 0; i < n; i++) {
		w->got_a++;
		assert_int_equal((uintptr_t)d[i].data % 8, 0);
		if (d[i].len < 60000) {
			d[i].data--;
			d[i].data[0] = 0x42;
			d[i].len++;
		}
		env_udp_send(u, &d[i].peer, d[i].data, d[i].len);
	}
	if (w->close_on_receive) {
		env_udp_close(u);
		w->a = NULL;
	}
}

static void on_b(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct world *w = arg;

	(void)u;
	for (size_t i = 0; i < n; i++) {
		w->got_b++;
		w->got_len = d[i].len;
		w->last = d[i].data[0];
		w->last_tos = d[i].tos;
	}
}

static void on_error(void *arg, struct env_udp *u, const struct env_udp_error *error)
{
	struct world *w = arg;

	(void)u;
	w->errors++;
	w->error = *error;
}

static void on_timer(void *arg)
{
	((struct world *)arg)->fired++;
}

static void open_sockets(struct world *w, const char *ip)
{
	struct env_udp_params p = {.fd = -1, .on_batch = on_a, .arg = w};

	assert_int_equal(addr_parse_ip(&p.local, ip, 0), 0);
	assert_int_equal(env_udp_open(w->env, &p, &w->a), 0);
	p.on_batch = on_b;
	assert_int_equal(env_udp_open(w->env, &p, &w->b), 0);
	assert_int_not_equal(addr_port(&w->a->local), 0);
	p.local = w->a->local;
	struct env_udp *c;
	assert_int_equal(env_udp_open(w->env, &p, &c), -E_IN_USE);
}

static void exercise(struct world *w, const char *ip)
{
	uint8_t *big = calloc(1, 65507), small[100] = {7};
	struct env_timer *t;

	open_sockets(w, ip);
	/* More than one batch, more than the queue holds, mixed with the longest datagram. */
	for (int i = 0; i < 300; i++)
		env_udp_send(w->b, &w->a->local, small, sizeof(small));
	run(w, 60);
	assert_int_equal(w->got_a, 300);
	assert_int_equal(w->got_b, 300);
	assert_int_equal(w->got_len, sizeof(small) + 1);
	assert_int_equal(w->last, 0x42);
	env_udp_send(w->b, &w->a->local, big, 65507);
	run(w, 60);
	assert_int_equal(w->got_len, 65507);
	env_udp_send(w->b, &w->a->local, small, 0); /* an empty datagram is one, too */
	run(w, 30);
	assert_int_equal(w->got_len, 1);
	assert_int_equal(w->got_b, 302);

	t = env_timer_new(w->env, on_timer, w);
	run(w, 20);
	assert_int_equal(w->fired, 0);
	env_timer_set(t, 5000);
	env_timer_set(t, 10);
	run(w, 40);
	assert_int_equal(w->fired, 1);
	run(w, 20);
	assert_int_equal(w->fired, 1);
	env_timer_free(t);

	/* DSCP and ECN arrive, and belong to one datagram only. */
	env_udp_send_as(w->a, &w->b->local, small, sizeof(small), 0xb9, false);
	run(w, 30);
	assert_int_equal(w->last_tos, 0xb9);
	env_udp_send(w->a, &w->b->local, small, sizeof(small));
	env_udp_send_as(w->a, &w->b->local, small, sizeof(small), 0x28, true);
	env_udp_send(w->a, &w->b->local, small, sizeof(small));
	w->got_b = 0;
	run(w, 30);
	assert_int_equal(w->got_b, 3);
	assert_int_equal(w->last_tos, 0);

	/* A socket that is handed over goes on where it was. */
	struct env_udp_params p = {.on_batch = on_b, .arg = w};
	struct addr local = w->b->local;
	p.fd = env_udp_release(w->b);
	assert_int_equal(env_udp_open(w->env, &p, &w->b), 0);
	assert_true(addr_equal(&w->b->local, &local));
	w->got_b = 0;
	env_udp_send(w->a, &local, small, sizeof(small));
	run(w, 30);
	assert_int_equal(w->got_b, 1);

	/* A socket may close itself while its batch is delivered: what it sent still leaves. */
	w->close_on_receive = 1;
	w->got_b = 0;
	env_udp_send(w->b, &w->a->local, small, sizeof(small));
	run(w, 30);
	assert_null(w->a);
	assert_int_equal(w->got_b, 1);
	env_udp_close(w->b);
	env_udp_close(NULL);
	free(big);
}

static void real(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w = {.base = event_base_new()};

		w.env = env_libevent_new(w.base, NULL);
		exercise(&w, ips[i]);
		env_libevent_free(w.env);
		event_base_free(w.base);
	}
}

static void on_virtual_time(void **state)
{
	static const char *const ips[] = {"198.51.100.7", "2001:db8::7"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w = {.env = env_virtual_new(1)};

		exercise(&w, ips[i]);
		assert_int_equal(env_virtual_sockets(w.env), 0);
		env_virtual_free(w.env);
	}
}

/* ICMP errors come back with type and code, and cost no other datagram. */
static void real_errors(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w = {.base = event_base_new()};
		struct env_udp_params p = {
		    .fd = -1, .on_batch = on_b, .on_error = on_error, .arg = &w};
		struct env_udp *gone;
		struct addr nobody;

		w.env = env_libevent_new(w.base, NULL);
		assert_int_equal(addr_parse_ip(&p.local, ips[i], 0), 0);
		assert_int_equal(env_udp_open(w.env, &p, &w.a), 0);
		assert_int_equal(env_udp_open(w.env, &p, &w.b), 0);
		assert_int_equal(env_udp_open(w.env, &p, &gone), 0);
		nobody = gone->local;
		env_udp_close(gone);
		env_udp_send(w.a, &nobody, (const uint8_t *)"x", 1);
		env_udp_send(w.a, &w.b->local, (const uint8_t *)"y", 1);
		run(&w, 20);
		env_udp_send(w.a, &w.b->local, (const uint8_t *)"z", 1);
		run(&w, 20);
		assert_int_equal(w.errors, 1);
		assert_true(addr_equal(&w.error.peer, &nobody));
		assert_int_equal(w.error.type, i ? 1 : 3); /* port unreachable */
		assert_int_equal(w.error.code, i ? 4 : 3);
		assert_int_equal(w.error.mtu, 0);
		assert_int_equal(w.got_b, 2);
		env_udp_close(w.a);
		env_udp_close(w.b);
		env_libevent_free(w.env);
		event_base_free(w.base);
	}
}

/* In a network of its own, whose loopback carries no more than 1500 bytes. Exits. */
static void in_narrow_network(const char *ip)
{
	struct world w = {.base = event_base_new()};
	struct env_udp_params p = {.fd = -1, .on_batch = on_b, .on_error = on_error, .arg = &w};
	static uint8_t big[4000];

	w.env = env_libevent_new(w.base, NULL);
	if (addr_parse_ip(&p.local, ip, 0) || env_udp_open(w.env, &p, &w.a) ||
	    env_udp_open(w.env, &p, &w.b))
		_exit(2);
	env_udp_send(w.a, &w.b->local, big, sizeof(big));
	env_udp_send_as(w.a, &w.b->local, big, sizeof(big), 0, true);
	env_udp_send(w.a, &w.b->local, big, sizeof(big));
	env_udp_send_as(w.a, &w.b->local, big, 1000, 0, true);
	run(&w, 50);
	if (w.got_b != 3 || w.got_len != 1000)
		_exit(3);
	/* alike, but each more than the network carries whole: the kernel cannot cut them apart */
	for (int i = 0; i < 3; i++)
		env_udp_send(w.a, &w.b->local, big, 2000);
	run(&w, 50);
	if (w.got_b != 6 || w.got_len != 2000)
		_exit(8);
	/* a batch that stops at it tries it once more */
	if (!w.errors || w.errors > 2 || w.error.mtu != 1500 ||
	    !addr_equal(&w.error.peer, &w.b->local))
		_exit(4);
	_exit(w.error.type == (addr_family(&p.local) == AF_INET6 ? 2 : 3) ? 0 : 5);
}

static void real_dont_fragment(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			struct ifreq lo = {.ifr_name = "lo"};
			int fd;

			if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
				_exit(77);
			fd = socket(AF_INET, SOCK_DGRAM, 0);
			lo.ifr_mtu = 1500;
			if (ioctl(fd, SIOCSIFMTU, &lo))
				_exit(6);
			lo.ifr_flags = IFF_UP | IFF_RUNNING;
			if (ioctl(fd, SIOCSIFFLAGS, &lo))
				_exit(7);
			in_narrow_network(ips[i]);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77) {
			print_message("no network namespaces here\n");
			skip();
		}
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

struct heard {
	size_t len;
	uint8_t number, tos;
};

struct ear {
	struct heard v[256];
	size_t n;
};

static void on_heard(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct ear *e = arg;

	(void)u;
	for (size_t i = 0; i < n; i++)
		e->v[e->n++] = (struct heard){d[i].len, d[i].len ? d[i].data[0] : 0, d[i].tos};
}

/* Datagrams that are alike leave together; they arrive as what they were, and in their order. */
static void real_datagrams_alike(void **state)
{
	static const struct {
		size_t times, len;
		uint8_t tos;
		bool to_c, df;
	} sent[] = {
	    {70, 1100, 0, false, false},                              /* more than one run holds */
	    {1, 300, 0, false, false},                                /* the shorter end of it */
	    {2, 1100, 0, false, false},   {1, 1200, 0, false, false}, /* longer: not of it */
	    {3, 100, 0, true, false},     {3, 100, 0, false, false},   {1, 100, 0, true, false},
	    {2, 100, 0xb8, false, false}, {2, 100, 0, false, false},   {2, 100, 0, false, true},
	    {2, 0, 0, false, false},      {3, 30000, 0, false, false},
	};
	static const char *const ips[] = {"127.0.0.1", "::1"};
	static uint8_t data[30000];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w = {.base = event_base_new()};
		static struct ear ear[2];
		struct env_udp_params p = {.fd = -1, .on_batch = on_heard};
		struct env_udp *from, *to[2];
		size_t at[2] = {0, 0};
		uint8_t number = 0;

		memset(ear, 0, sizeof(ear));
		w.env = env_libevent_new(w.base, NULL);
		addr_parse_ip(&p.local, ips[i], 0);
		assert_int_equal(env_udp_open(w.env, &p, &from), 0);
		for (int k = 0; k < 2; k++) {
			p.arg = &ear[k];
			assert_int_equal(env_udp_open(w.env, &p, &to[k]), 0);
		}
		for (size_t s = 0; s < sizeof(sent) / sizeof(*sent); s++) {
			for (size_t t = 0; t < sent[s].times; t++) {
				data[0] = ++number;
				env_udp_send_as(from, &to[sent[s].to_c]->local, data, sent[s].len,
				                sent[s].tos, sent[s].df);
			}
		}
		run(&w, 60);
		number = 0;
		for (size_t s = 0; s < sizeof(sent) / sizeof(*sent); s++) {
			for (size_t t = 0; t < sent[s].times; t++) {
				const struct ear *e = &ear[sent[s].to_c];
				const struct heard *h = &e->v[at[sent[s].to_c]++];

				assert_int_equal(h->len, sent[s].len);
				assert_int_equal(h->number, sent[s].len ? number + 1 : 0);
				assert_int_equal(h->tos, sent[s].tos);
				number++;
			}
		}
		assert_int_equal(ear[0].n, at[0]);
		assert_int_equal(ear[1].n, at[1]);
		assert_int_equal(w.env->stats.sent, number);
		assert_int_equal(w.env->stats.send_drops, 0);
		for (int k = 0; k < 2; k++)
			env_udp_close(to[k]);
		env_udp_close(from);
		env_libevent_free(w.env);
		event_base_free(w.base);
	}
}

/* Not the first, nor after a pause; else not before the time is over. */
static void real_turns_gather(void **state)
{
	struct event_base *base = event_base_new();
	struct env *env = env_libevent_new(base, NULL);
	uint64_t since = env_now_ms(env);

	(void)state;
	env_libevent_gather(env, 10000000);
	assert_true(env_now_ms(env) - since < 5000);
	env_libevent_gather(env, 0);
	env_libevent_gather(env, 200000);
	assert_true(env_now_ms(env) - since >= 199);
	usleep(5000);
	since = env_now_ms(env);
	env_libevent_gather(env, 4000); /* the pause was longer */
	env_libevent_gather(env, 0);
	assert_true(env_now_ms(env) - since < 5000);
	env_libevent_free(env);
	event_base_free(base);
}

static void virtual_runs_repeat(void **state)
{
	struct env *a = env_virtual_new(7), *b = env_virtual_new(7), *c = env_virtual_new(8);
	uint8_t x[32], y[32], z[32];

	(void)state;
	env_random(a, x, sizeof(x));
	env_random(b, y, sizeof(y));
	env_random(c, z, sizeof(z));
	assert_memory_equal(x, y, sizeof(x));
	assert_memory_not_equal(x, z, sizeof(x));
	env_virtual_step_wall(a, -100000);
	assert_int_equal(env_now_ms(a), env_now_ms(b)); /* the monotonic clock stands */
	assert_int_equal(env_wall_s(a), env_wall_s(b) - 100000);
	env_virtual_free(a);
	env_virtual_free(b);
	env_virtual_free(c);
}

/* A wire that takes 10 ms, sends the second datagram twice, loses the third, and has an address
 * stand for b. */
struct rig {
	struct env *env;
	struct addr alias, real;
	unsigned int sent, arrived, handled;
	char heard[8];
	size_t heard_n;
	uint64_t heard_ms[8];
};

static void rig_sent(void *ctx, const struct addr *from, const struct addr *to, const uint8_t *data,
                     size_t len, uint8_t tos)
{
	struct rig *r = ctx;

	r->sent++;
	if (r->sent == 3)
		return;
	env_virtual_carry(r->env, from, to, data, len, tos, r->sent == 1 ? 30 : 10);
	if (r->sent == 2)
		env_virtual_carry(r->env, from, to, data, len, tos, 40);
}

static bool rig_arrives(void *ctx, struct addr *from, struct addr *to, const uint8_t *data,
                        size_t len)
{
	struct rig *r = ctx;

	(void)from;
	r->arrived++;
	if (addr_equal(to, &r->alias))
		*to = r->real;
	return len != 1 || *data != 'x';
}

static void rig_handled(void *ctx)
{
	((struct rig *)ctx)->handled++;
}

static void rig_hears(void *arg, struct env_udp *u, struct datagram *d, size_t n)
{
	struct rig *r = arg;

	(void)u;
	assert_int_equal(n, 1);
	assert_int_equal(d->tos, 0x88);
	r->heard_ms[r->heard_n] = env_now_ms(r->env);
	r->heard[r->heard_n++] = (char)d->data[0];
}

/* a, at 10.0.0.1:1, has sent 1 to 5 and x to the alias of b, at 10.0.0.2:2. */
static void wire_send(struct rig *r, struct env_udp **a)
{
	static const struct env_virtual_wire wire = {
	    .sent = rig_sent, .arrives = rig_arrives, .handled = rig_handled};
	struct env_udp_params p = {.fd = -1, .on_batch = rig_hears, .arg = r};
	struct env_udp *b;

	*r = (struct rig){.env = env_virtual_new(3)};
	assert_int_equal(addr_parse(&p.local, "10.0.0.1:1"), 0);
	assert_int_equal(env_udp_open(r->env, &p, a), 0);
	assert_int_equal(addr_parse(&p.local, "10.0.0.2:2"), 0);
	assert_int_equal(env_udp_open(r->env, &p, &b), 0);
	r->real = p.local;
	assert_int_equal(addr_parse(&r->alias, "20.0.0.1:7"), 0);
	env_virtual_set_wire(r->env, &wire, r);
	for (const char *c = "12345x"; *c; c++)
		env_udp_send_as(*a, &r->alias, (const uint8_t *)c, 1, 0x88, false);
}

static void a_wire_decides_when_and_whether_a_datagram_arrives(void **state)
{
	struct rig r;
	struct env_udp *a;
	uint64_t begin;

	(void)state;
	wire_send(&r, &a);
	begin = env_now_ms(r.env);
	env_virtual_run(r.env, 9);
	assert_int_equal(r.heard_n, 0);
	env_virtual_run(r.env, 100);
	assert_string_equal(r.heard, "24512");
	assert_int_equal(r.heard_ms[0] - begin, 10);
	assert_int_equal(r.heard_ms[3] - begin, 30);
	assert_int_equal(r.heard_ms[4] - begin, 40);
	env_virtual_free(r.env);
}

static void a_wire_is_asked_on_arrival_and_told_what_was_handled(void **state)
{
	struct rig r;
	struct env_udp *a;

	(void)state;
	wire_send(&r, &a);
	assert_int_equal(env_virtual_packets(r.env), 6);
	env_virtual_run(r.env, 109);
	assert_int_equal(r.arrived, 6);
	assert_int_equal(r.handled, 5); /* x was dropped at the door */
	assert_int_equal(env_virtual_packets(r.env), 0);
	env_virtual_free(r.env);
}

static void without_a_wire_datagrams_go_straight(void **state)
{
	struct rig r;
	struct env_udp *a;

	(void)state;
	wire_send(&r, &a);
	env_virtual_run(r.env, 109);
	env_virtual_set_wire(r.env, NULL, NULL);
	env_udp_send_as(a, &r.real, (const uint8_t *)"6", 1, 0x88, false);
	env_virtual_run(r.env, 0);
	assert_string_equal(r.heard, "245126");
	env_virtual_free(r.env);
}

static void note_timer(void *arg)
{
	struct rig *r = arg;

	r->heard[r->heard_n++] = 't';
}

/* Many timers, set, set again and freed in disorder, fire in the order of their time. */
static void timers_keep_order(void **state)
{
	struct env *env = env_virtual_new(4);
	struct env_timer *t[300];
	struct rig r = {.env = env};
	struct env_timer *last;

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		t[i] = env_timer_new(env, note_timer, &r);
		env_timer_set(t[i], 1000 + i * 37 % 300);
	}
	for (size_t i = 0; i < 300; i++) /* all but five go away, or are put off */
		if (i % 60)
			env_timer_free(t[i]);
		else
			env_timer_set(t[i], 10 * (300 - i));
	last = env_timer_new(env, note_timer, &r);
	env_timer_set(last, 5000);
	for (size_t i = 1; i <= 5; i++) {
		env_virtual_run(env, 600);
		assert_int_equal(r.heard_n, i);
	}
	env_virtual_run(env, 1999);
	assert_int_equal(r.heard_n, 5);
	env_virtual_run(env, 1);
	assert_int_equal(r.heard_n, 6);
	env_virtual_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wire_decides_when_and_whether_a_datagram_arrives),
	    cmocka_unit_test(a_wire_is_asked_on_arrival_and_told_what_was_handled),
	    cmocka_unit_test(without_a_wire_datagrams_go_straight),
	    cmocka_unit_test(timers_keep_order),
	    cmocka_unit_test(real),
	    cmocka_unit_test(real_errors),
	    cmocka_unit_test(real_dont_fragment),
	    cmocka_unit_test(real_datagrams_alike),
	    cmocka_unit_test(real_turns_gather),
	    cmocka_unit_test(on_virtual_time),
	    cmocka_unit_test(virtual_runs_repeat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
