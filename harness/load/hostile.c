/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A kind is a row: how its connections begin, and what each does when its turn comes. One that was
 * closed comes back.
 */
#include "harness/load/hostile.h"

#include "base/clock.h"
#include "harness/load/crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NETWORKS     8
#define FROM         0x7fc80001u /* 127.200.0.1 */
#define BURST        300         /* acts that the default limits allow at once */
#define RATE         50          /* acts a second and connection, as signal_rate is */
#define RETURN_MS    200         /* before a connection that was closed comes back */
#define LAG_MS       250         /* acts that are later than this are left out */
#define BIG          200000      /* bytes: more than a message may have */
#define LARGE        16000       /* bytes: a message may have as many */
#define SMALL_BUFFER 2048

struct hostile_one {
	int64_t back_ms; /* when it may connect */
	uint64_t acts;
};

struct hostile {
	const struct hostile_kind *kind;
	struct crowd crowd;
	struct hostile_one *one;
	struct hostile_counts *counts;
	int64_t start_ms;
	uint64_t acts; /* of all, by the timetable */
	size_t next;
	char *big;
};

struct hostile_kind {
	const char *name, *what;
	enum crowd_manner manner;
	bool one_address;
	bool half; /* no handshake is ended */
	void (*act)(struct hostile *h, struct crowd_client *p);
};

static void send_text(struct hostile *h, struct crowd_client *p, const char *text, size_t len)
{
	if (!ws_send(&p->ws, text, len))
		h->counts->acts++;
}

static void rename_itself(struct hostile *h, struct crowd_client *p)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "{\"type\":\"username\",\"name\":\"H%u-%ju\"}",
	                   p->ws.number, (uintmax_t)h->one[p->ws.number].acts);

	send_text(h, p, text, (size_t)len);
}

static void chat(struct hostile *h, struct crowd_client *p)
{
	static const char text[] = "{\"type\":\"message\",\"text\":\"hello everybody\"}";

	send_text(h, p, text, sizeof(text) - 1);
}

/* To everybody, since it has no target; and a question that costs work. */
static void shout(struct hostile *h, struct crowd_client *p)
{
	static const char noise[] = "{\"type\":\"noise\",\"pad\":\"xxxxxxxxxxxxxxxxxxxxxxxx\"}";
	static const char ask[] = "{\"type\":\"ice-servers\"}";

	if (h->one[p->ws.number].acts % 8)
		send_text(h, p, noise, sizeof(noise) - 1);
	else
		send_text(h, p, ask, sizeof(ask) - 1);
}

static void send_too_much(struct hostile *h, struct crowd_client *p)
{
	send_text(h, p, h->big, BIG);
}

/* To the next one, which does not read either. */
static void fill_queues(struct hostile *h, struct crowd_client *p)
{
	char *text = h->big, target[CROWD_NAME_MAX];
	int len;

	if (!p->ws.stalled) {
		int size = SMALL_BUFFER;

		setsockopt(p->ws.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		p->ws.stalled = true;
	}
	if (p->ws.out_len) /* the server does not read us for now */
		return;
	crowd_name(&h->crowd, (p->ws.number + 1) % h->crowd.n, target);
	len = snprintf(text, BIG, "{\"type\":\"load\",\"target\":\"%s\",\"pad\":\"", target);
	text[len] = 'x';
	memcpy(text + LARGE - 2, "\"}", 2);
	send_text(h, p, text, LARGE);
	memset(text, 'x', LARGE);
}

static void nothing(struct hostile *h, struct crowd_client *p)
{
	(void)h;
	(void)p;
}

static const struct hostile_kind kinds[] = {
    {"rename", "each takes a new name 50 times a second", CROWD_PLAYER, false, false,
     rename_itself},
    {"chat", "each writes to everybody 50 times a second", CROWD_PLAYER, false, false, chat},
    {"crowd", "connections without a name, from one address, that write to everybody",
     CROWD_ANONYMOUS, true, false, shout},
    {"oversized", "messages that are too long, and connections again", CROWD_PLAYER, false, false,
     send_too_much},
    {"half", "connections that say nothing, half a request, or half a TLS handshake",
     CROWD_ANONYMOUS, false, true, nothing},
    {"slow", "clients that do not read and send 16 KB to each other", CROWD_PLAYER, false, false,
     fill_queues},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

const struct hostile_kind *hostile_kind(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

const char *hostile_kind_at(size_t i, const char **what)
{
	if (i >= KINDS)
		return NULL;
	*what = kinds[i].what;
	return kinds[i].name;
}

/* ---- connections ---- */

static void on_text(struct crowd_client *p, const char *text, size_t len)
{
	struct hostile *h = p->crowd->owner;

	if (crowd_find(text, len < 64 ? len : 64, "\"error\""))
		h->counts->refused++;
}

static void on_gone(struct crowd_client *p)
{
	struct hostile *h = p->crowd->owner;

	h->counts->closed++;
	h->one[p->ws.number].back_ms = clock_mono_ms() + RETURN_MS;
}

/* Of a third, nothing; of a third, the beginning of a request; of a third, that of a ClientHello.
 */
static void say_half(struct crowd_client *p)
{
	static const char request[] = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr";
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03half";

	if (p->ws.number % 3 == 1)
		ws_send_raw(&p->ws, request, sizeof(request) - 1);
	else if (p->ws.number % 3 == 2)
		ws_send_raw(&p->ws, hello, sizeof(hello) - 1);
}

static void come(struct hostile *h, size_t i, int64_t now)
{
	struct crowd_client *p = &h->crowd.client[i];
	uint32_t network = h->kind->one_address ? 0 : (uint32_t)(i % NETWORKS) << 8;

	if (now < h->one[i].back_ms)
		return;
	h->one[i].back_ms = now + RETURN_MS;
	if (crowd_connect(&h->crowd, i, FROM + network, NULL))
		return;
	h->counts->connected++;
	if (h->kind->half)
		say_half(p);
}

struct hostile *hostile_new(const struct hostile_kind *kind, size_t n, uint16_t port,
                            struct hostile_counts *counts)
{
	struct hostile *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->kind = kind;
	h->counts = counts;
	h->one = calloc(n, sizeof(*h->one));
	h->big = malloc(BIG + 1);
	if (!h->one || !h->big || crowd_init(&h->crowd, n, WS_PLAIN, port, NULL)) {
		crowd_free(&h->crowd);
		free(h->one);
		free(h->big);
		free(h);
		return NULL;
	}
	memset(h->big, 'x', BIG + 1);
	h->crowd.manner = kind->manner;
	h->crowd.mark = 'H'; /* not counted in the lists of others */
	h->crowd.path = kind->half ? NULL : "/ws";
	h->crowd.owner = h;
	h->crowd.text = on_text;
	h->crowd.gone = on_gone;
	h->start_ms = clock_mono_ms();
	return h;
}

void hostile_run(struct hostile *h)
{
	int64_t now = clock_mono_ms();
	uint64_t n = h->crowd.n, due = n * BURST + (uint64_t)(now - h->start_ms) * n * RATE / 1000;
	uint64_t late = n * RATE * LAG_MS / 1000;

	for (size_t i = 0; i < n; i++)
		if (h->crowd.client[i].ws.phase == WS_NONE)
			come(h, i, now);
	crowd_run(&h->crowd, 0);
	if (due > h->acts + late && now - h->start_ms > 2 * RETURN_MS)
		h->acts = due - late;
	for (uint64_t k = 0; h->acts < due && k < n; k++, h->acts++) {
		struct crowd_client *p = &h->crowd.client[h->next++ % n];
		bool ready =
		    p->ws.phase == WS_OPEN && (p->asked || h->kind->manner == CROWD_ANONYMOUS);

		if (!ready)
			continue;
		h->one[p->ws.number].acts++;
		h->kind->act(h, p);
	}
}
