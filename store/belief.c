/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whether the clock is believed.
 */
#include "store/belief.h"

#include "store/internal.h"

#include <string.h>

static bool is_near(int64_t wall_s, int64_t expected_s, int64_t behind_s, int64_t ahead_s)
{
	return wall_s >= expected_s - behind_s && wall_s <= expected_s + ahead_s;
}

void belief_start(struct belief *b, int64_t since_s, int64_t mark_s)
{
	*b = (struct belief){.since_s = since_s, .mark_s = mark_s};
}

static bool keep_to(struct belief *b, int64_t wall_s, int64_t boot_s)
{
	b->mark_s = wall_s;
	b->mark_at_s = boot_s;
	b->seen = b->believed = true;
	b->other_looks = 0;
	return true;
}

/* It keeps to another line than the believed one: how long does it? */
static bool doubt(struct belief *b, int64_t wall_s, int64_t boot_s)
{
	int64_t expected_s = b->other_s + (boot_s - b->other_at_s);

	b->believed = false;
	if (!b->other_looks || !is_near(wall_s, expected_s, BELIEF_SLACK_S, BELIEF_SLACK_S)) {
		b->other_looks = 0;
		b->other_since_s = boot_s;
	}
	b->other_s = wall_s;
	b->other_at_s = boot_s;
	b->other_looks++;
	if (boot_s - b->other_since_s < BELIEF_PROOF_S || b->other_looks < BELIEF_LOOKS)
		return false;
	b->since_s = wall_s - BELIEF_PROOF_S;
	return keep_to(b, wall_s, boot_s);
}

bool belief_look(struct belief *b, int64_t wall_s, int64_t boot_s, bool synchronized)
{
	int64_t expected_s;

	if (!b->mark_s) { /* nothing is known, and there is nothing to forget */
		b->since_s = wall_s;
		return keep_to(b, wall_s, boot_s);
	}
	if (!b->mark_at_s) /* from another process: the time since then is unknown */
		b->mark_at_s = boot_s;
	expected_s = b->mark_s + (boot_s - b->mark_at_s);
	if (is_near(wall_s, expected_s, BELIEF_SLACK_S, b->seen ? BELIEF_SLACK_S : BELIEF_GAP_S))
		return keep_to(b, wall_s, boot_s);
	if (wall_s < expected_s && synchronized) {
		b->since_s = wall_s - BELIEF_PROOF_S;
		return keep_to(b, wall_s, boot_s);
	}
	return doubt(b, wall_s, boot_s);
}

int64_t belief_floor_s(const struct belief *b)
{
	return b->mark_s - b->since_s >= BELIEF_PROOF_S ? b->mark_s - BELIEF_SLACK_S : 0;
}

int store_belief_get(struct store *s, struct belief *b, struct why *why)
{
	int64_t since_s, mark_s;
	int err = store_get_int(s, "SELECT believed_since FROM store_state", &since_s, why);

	if (!err)
		err = store_get_int(s, "SELECT believed_at FROM store_state", &mark_s, why);
	if (!err && !mark_s)
		err = store_get_int(s, "SELECT coalesce(max(at), 0) FROM audit", &mark_s, why);
	if (err)
		return err;
	belief_start(b, since_s ? since_s : mark_s, mark_s);
	return 0;
}

int store_belief_put(struct store *s, const struct belief *b, struct why *why)
{
	sqlite3_stmt *stmt;
	int err = store_prepare(s, "UPDATE store_state SET believed_since = ?1, believed_at = ?2",
	                        &stmt, why);

	if (err)
		return err;
	sqlite3_bind_int64(stmt, 1, b->since_s);
	sqlite3_bind_int64(stmt, 2, b->mark_s);
	return store_run(s, stmt, "noting the time", why);
}
