/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Two libnice agents that may only meet over their relays, and talk. A client
 * for test_turnutils: nice_client udp|tcp SERVER PORT USER PASSWORD LOCAL-IP
 */
#include <nice/agent.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 50
#define LIMIT_S  30

struct end {
	const char *name;
	NiceAgent *agent;
	guint stream;
	struct end *other;
	gboolean gathered, ready;
	guint sent, received;
	struct talk *talk;
};

struct talk {
	GMainLoop *loop;
	struct end a, b;
	gboolean tcp;
	const char *server, *user, *password, *local;
	guint port, closed;
	int status;
};

static void give_up(struct talk *t, const char *why)
{
	fprintf(stderr, "nice_client: %s\n", why);
	t->status = 1;
	g_main_loop_quit(t->loop);
}

static gboolean on_limit(gpointer arg)
{
	give_up(arg, "time is up");
	return G_SOURCE_REMOVE;
}

/* The candidates of one end become the remote ones of the other; all must be relayed. */
static gboolean introduce(struct end *from)
{
	GSList *list = nice_agent_get_local_candidates(from->agent, from->stream, 1);
	gchar *ufrag, *password;
	gboolean ok = list != NULL;

	for (GSList *i = list; i; i = i->next) {
		const NiceCandidate *c = i->data;
		char ip[NICE_ADDRESS_STRING_LEN];

		nice_address_to_string(&c->addr, ip);
		printf("%s: candidate %s:%u, %s\n", from->name, ip, nice_address_get_port(&c->addr),
		       c->type == NICE_CANDIDATE_TYPE_RELAYED ? "relayed" : "not relayed");
		ok &= c->type == NICE_CANDIDATE_TYPE_RELAYED;
	}
	if (ok && nice_agent_get_local_credentials(from->agent, from->stream, &ufrag, &password)) {
		struct end *to = from->other;

		nice_agent_set_remote_credentials(to->agent, to->stream, ufrag, password);
		ok = nice_agent_set_remote_candidates(to->agent, to->stream, 1, list) > 0;
		g_free(ufrag);
		g_free(password);
	}
	g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
	return ok;
}

static void on_gathered(NiceAgent *agent, guint stream, gpointer arg)
{
	struct end *e = arg;

	(void)agent;
	(void)stream;
	e->gathered = TRUE;
	if (e->other->gathered && (!introduce(e) || !introduce(e->other)))
		give_up(e->talk, "no relayed candidate");
}

static gboolean on_turn_to_send(gpointer arg)
{
	struct end *e = arg;
	char text[64];
	int len = snprintf(text, sizeof(text), "%s says %u", e->name, e->sent);

	if (nice_agent_send(e->agent, e->stream, 1, (guint)len, text) == len)
		e->sent++;
	return e->sent < MESSAGES ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void on_state(NiceAgent *agent, guint stream, guint component, guint state, gpointer arg)
{
	struct end *e = arg;

	(void)agent;
	(void)stream;
	(void)component;
	if (state == NICE_COMPONENT_STATE_FAILED)
		give_up(e->talk, "the checks failed");
	if (state != NICE_COMPONENT_STATE_READY || e->ready)
		return;
	e->ready = TRUE;
	if (e->other->ready) {
		g_timeout_add(20, on_turn_to_send, e);
		g_timeout_add(20, on_turn_to_send, e->other);
	}
}

static void on_data(NiceAgent *agent, guint stream, guint component, guint len, gchar *data,
                    gpointer arg)
{
	struct end *e = arg;
	char expected[64];

	(void)agent;
	(void)stream;
	(void)component;
	snprintf(expected, sizeof(expected), "%s says %u", e->other->name, e->received);
	if (len != strlen(expected) || memcmp(data, expected, len) != 0) {
		give_up(e->talk, "a message is lost, late or changed");
		return;
	}
	if (++e->received == MESSAGES && e->other->received == MESSAGES)
		g_main_loop_quit(e->talk->loop);
}

static gboolean start(struct talk *t, struct end *e, struct end *other, const char *name)
{
	NiceAddress local;

	e->name = name;
	e->other = other;
	e->talk = t;
	e->agent = nice_agent_new_full(NULL, NICE_COMPATIBILITY_RFC5245, NICE_AGENT_OPTION_NONE);
	g_object_set(e->agent, "force-relay", TRUE, "upnp", FALSE, "ice-tcp", FALSE,
	             "controlling-mode", e == &t->a, NULL);
	nice_address_init(&local);
	if (!nice_address_set_from_string(&local, t->local) ||
	    !nice_agent_add_local_address(e->agent, &local))
		return FALSE;
	g_signal_connect(e->agent, "candidate-gathering-done", G_CALLBACK(on_gathered), e);
	g_signal_connect(e->agent, "component-state-changed", G_CALLBACK(on_state), e);
	e->stream = nice_agent_add_stream(e->agent, 1);
	nice_agent_attach_recv(e->agent, e->stream, 1, NULL, on_data, e);
	return nice_agent_set_relay_info(
	           e->agent, e->stream, 1, t->server, t->port, t->user, t->password,
	           t->tcp ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP) &&
	       nice_agent_gather_candidates(e->agent, e->stream);
}

static void on_closed(GObject *agent, GAsyncResult *result, gpointer arg)
{
	struct talk *t = arg;

	(void)agent;
	(void)result;
	if (++t->closed == 2)
		g_main_loop_quit(t->loop);
}

/* Gives the allocations back. */
static void stop(struct talk *t)
{
	if (t->a.agent && t->b.agent) {
		nice_agent_close_async(t->a.agent, on_closed, t);
		nice_agent_close_async(t->b.agent, on_closed, t);
		g_main_loop_run(t->loop);
	}
	g_clear_object(&t->a.agent);
	g_clear_object(&t->b.agent);
	g_main_loop_unref(t->loop);
}

int main(int argc, char **argv)
{
	struct talk t = {.status = 0};

	if (argc != 7) {
		fprintf(stderr, "usage: nice_client udp|tcp SERVER PORT USER PASSWORD LOCAL-IP\n");
		return 2;
	}
	t.tcp = !strcmp(argv[1], "tcp");
	t.server = argv[2];
	t.port = (guint)atoi(argv[3]);
	t.user = argv[4];
	t.password = argv[5];
	t.local = argv[6];
	t.loop = g_main_loop_new(NULL, FALSE);
	g_timeout_add_seconds(LIMIT_S, on_limit, &t);
	if (start(&t, &t.a, &t.b, "a") && start(&t, &t.b, &t.a, "b"))
		g_main_loop_run(t.loop);
	else
		give_up(&t, "cannot start");
	printf("a got %u messages, b got %u\n", t.a.received, t.b.received);
	stop(&t);
	return t.status;
}
