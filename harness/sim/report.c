/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Chance, events and verdicts of a run.
 */
#include "harness/sim/sim.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name, *text;
} invariants[] = {
#define X(name, text, what) [SIM_##name] = {text, what},
    SIM_INVARIANT_TABLE(X)
#undef X
};

static const char *const breaks[] = {
#define X(name, text) text,
    SIM_BREAK_TABLE(X)
#undef X
};

const char *sim_invariant_name(enum sim_invariant i)
{
	return invariants[i].name;
}

const char *sim_invariant_text(enum sim_invariant i)
{
	return invariants[i].text;
}

const char *sim_break_name(enum sim_break b)
{
	return breaks[b];
}

uint32_t sim_dice(struct sim *s, uint32_t sides)
{
	s->chance ^= s->chance << 13;
	s->chance ^= s->chance >> 7;
	s->chance ^= s->chance << 17;
	return (uint32_t)(s->chance >> 20) % sides;
}

bool sim_chance(struct sim *s, uint32_t ppm)
{
	return sim_dice(s, 1000000) < ppm;
}

/* 09:08:07.654 since the start */
static const char *clock_text(uint64_t ms, char buf[32])
{
	snprintf(buf, 32, "%02u:%02u:%02u.%03u", (unsigned int)(ms / 3600000),
	         (unsigned int)(ms / 60000 % 60), (unsigned int)(ms / 1000 % 60),
	         (unsigned int)(ms % 1000));
	return buf;
}

static void mix(struct sim *s, uint64_t v)
{
	s->hash = (s->hash ^ v) * 0x100000001b3u;
	s->hash ^= s->hash >> 29;
}

static void write_line(struct sim *s, uint32_t call, const char *what, struct ep from, struct ep to,
                       uint32_t n)
{
	char clock[32], a[ADDR_STRLEN], b[ADDR_STRLEN], line[160];
	struct addr from_addr = ep_addr(from), to_addr = ep_addr(to);

	snprintf(line, sizeof(line), "%s call %u %s %.24s > %.24s %u",
	         clock_text(sim_now(s) - s->begin_ms, clock), call, what,
	         addr_format(&from_addr, a), addr_format(&to_addr, b), n);
	if (s->conf.trace)
		puts(line);
	if (s->conf.trail_call && call == s->conf.trail_call)
		memcpy(s->trail.line[s->trail.n++ % SIM_TRAIL_MAX], line, sizeof(line));
}

void sim_note(struct sim *s, uint32_t call, const char *what, struct ep from, struct ep to,
              uint32_t n)
{
	mix(s, sim_now(s));
	mix(s, (uint64_t)call << 32 | n);
	mix(s, (uint64_t)from.ip << 32 | (uint32_t)from.port << 16 |
	           (uint32_t)(uint8_t)what[0] << 8 | (uint8_t)what[1]);
	mix(s, (uint64_t)to.ip << 32 | to.port);
	if (s->conf.trace || s->conf.trail_call)
		write_line(s, call, what, from, to, n);
}

void sim_print_trail(const struct sim *s)
{
	size_t kept = s->trail.n < SIM_TRAIL_MAX ? s->trail.n : SIM_TRAIL_MAX;

	fprintf(stderr, "the last %zu events of call %u:\n", kept, s->conf.trail_call);
	for (size_t i = s->trail.n - kept; i < s->trail.n; i++)
		fprintf(stderr, "  %s\n", s->trail.line[i % SIM_TRAIL_MAX]);
}

bool sim_check(struct sim *s, enum sim_invariant i, bool holds, uint32_t call, const char *fmt, ...)
{
	char clock[32], text[200];
	uint64_t now;
	va_list ap;

	s->counts.checked[i]++;
	if (holds)
		return true;
	now = s->env ? sim_now(s) : s->begin_ms + s->virtual_ms;
	if (!s->broken_ms) {
		s->broken_ms = now;
		s->broken_call = call;
	}
	if (s->counts.broken[i]++)
		return false; /* once of a kind is enough to read */
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!s->conf.trail_call)
		fprintf(stderr, "broken: %s (%s): %s (call %u, at %s)\n", invariants[i].name,
		        invariants[i].text, text, call, clock_text(now - s->begin_ms, clock));
	return false;
}

uint32_t sim_call_of(const uint8_t *data, size_t len)
{
	size_t n;

	if (len >= 20 && data[0] < 4) {
		if (wire_type(data) != W_DATA)
			return bytes_get32(data + 8); /* the transaction ID */
		data = wire_get(data, len, ATTR_DATA, &n);
		len = data ? n : 0;
	} else if (wire_is_channel_data(data, len)) {
		data += 4;
		len -= 4;
	}
	return len >= 6 && data[0] == 0x90 ? bytes_get32(data + 2) : 0;
}
