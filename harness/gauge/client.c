/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The gauge's client (RFC 8656), and ChannelData.
 */
#include "harness/gauge/client.h"

#include "base/clock.h"
#include "base/stun_error.h"

#include <string.h>

#define RESEND_MS 500
#define TRIES     10
#define ROOM      (4 << 20) /* bytes; the system may allow less */
#define RELAY_S   600

void gauge_widen(int fd)
{
	int size = ROOM;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* A message on an unknown channel means that something has changed it. */
static void on_message(void *arg, const uint8_t *m, size_t len)
{
	struct gauge_client *c = arg;
	size_t n = 0;

	if (!wire_is_channel_data(m, len))
		return;
	if (wire_type(m) != GAUGE_CHANNEL || !wire_payload(m, len, &n))
		n = 0;
	c->on_data(c->arg, m + WIRE_CHANNEL_LEN, n);
}

int gauge_client_open(struct gauge_client *c, enum gauge_leg leg, const struct gauge_options *opt,
                      gauge_data_fn *on_data, void *arg, struct why *why)
{
	struct talker *t = &c->talker;
	struct addr server;
	int r;

	addr_parse_ip(&server, opt->ip, (uint16_t)opt->port[leg]);
	r = talker_connect(t, leg == GAUGE_TCP ? TALKER_TCP : TALKER_UDP, &server, NULL);
	gauge_widen(t->fd);
	t->user = opt->user;
	t->password = opt->password;
	t->tries = TRIES;
	t->wait_ms = RESEND_MS;
	t->meanwhile = on_message;
	t->arg = c;
	c->on_data = on_data;
	c->arg = arg;
	c->closed = r != 0;
	return r == 0 ? 0
	              : why_set(why, r, "no %s connection: %s", talker_transport_name(t->transport),
	                        error_text(r));
}

static int take_step(struct talker *t, enum gauge_step step, const struct addr *peer)
{
	switch (step) {
	case GAUGE_ALLOCATE:
		return talker_allocate(t, IPPROTO_UDP);
	case GAUGE_PERMIT:
		return talker_permit(t, peer);
	case GAUGE_BIND:
		return talker_bind(t, GAUGE_CHANNEL, peer);
	case GAUGE_REFRESH:
		return talker_refresh(t, RELAY_S);
	case GAUGE_RELEASE:
		break;
	}
	return talker_refresh(t, 0);
}

int gauge_client_do(struct gauge_client *c, enum gauge_step step, const struct addr *peer,
                    struct why *why)
{
	static const char *const names[] = {"Allocate", "CreatePermission", "ChannelBind",
	                                    "Refresh", "Refresh"};
	int64_t until = clock_mono_ms() + TRIES * RESEND_MS;
	char text[STUN_ERROR_TEXT];
	int r = take_step(&c->talker, step, peer);

	/* Over UDP a server that is being started again is closed for a while only. */
	while (r == -E_CLOSED && !talker_is_stream(&c->talker) && clock_mono_ms() < until) {
		clock_sleep_ms(RESEND_MS);
		r = take_step(&c->talker, step, peer);
	}
	if (r == 0)
		return 0;
	if (r > 0)
		return why_set(why, -E_DENIED, "%s: %s", names[step], stun_error_text(r, text));
	if (r == -E_CLOSED) {
		c->closed = talker_is_stream(&c->talker);
		return why_set(why, r, "%s: the server closed the connection", names[step]);
	}
	if (r == -E_TIMEOUT)
		return why_set(why, r, "%s: no answer within %d s", names[step],
		               TRIES * RESEND_MS / 1000);
	return why_set(why, r, "%s: %s", names[step], error_text(r));
}

void gauge_client_send(struct gauge_client *c, const uint8_t *data, size_t len)
{
	if (!c->closed)
		talker_relay(&c->talker, GAUGE_CHANNEL, NULL, data, len);
}

void gauge_client_take(struct gauge_client *c)
{
	int r = 0;

	while (!c->closed && (r = talker_receive(&c->talker, 0)) == 0)
		on_message(c, c->talker.in.buf, c->talker.in.len);
	if (r == -E_CLOSED && talker_is_stream(&c->talker))
		c->closed = true;
}
