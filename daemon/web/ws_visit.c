/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The opening handshake's room and ticket, or what a dialect's client says in it.
 */
#include "daemon/web/ws_visit.h"

#include "base/error.h"

#include <string.h>
#include <strings.h>

#define HEAD_MAX   8192 /* as max_http_header_data */
#define BEARER     "Bearer "
#define JWT_BEGINS "eyJ" /* base64url of {" */

static const char bad_name[] = "A room's name is 1 to 64 characters of A-Z a-z 0-9 . _ ~ -";

/* The value of an argument of the query, decoded, "" without one. 0 or -E_INVAL: too long, or given
 * twice, of which nobody can know which one counts; *why stays as it is in the first case. */
static int read_arg(struct lws *wsi, const char *key, char *out, size_t size, const char **why)
{
	char text[HEAD_MAX];
	size_t key_len = strlen(key);
	bool found = false;

	*out = '\0';
	for (int i = 0; lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) > 0; i++) {
		if (lws_hdr_copy_fragment(wsi, text, sizeof(text), WSI_TOKEN_HTTP_URI_ARGS, i) < 0)
			return -E_INVAL;
		if (strncmp(text, key, key_len) != 0 || text[key_len] != '=')
			continue;
		if (found)
			*why = "The query has a parameter twice.";
		if (found || strlen(text + key_len + 1) >= size)
			return -E_INVAL;
		memcpy(out, text + key_len + 1, strlen(text + key_len + 1) + 1);
		found = true;
	}
	return 0;
}

static int read_path(struct lws *wsi, char room[HUB_ROOM_MAX + 1])
{
	char path[HEAD_MAX];
	const char *name = path + sizeof(WS_PATH);

	*room = '\0';
	if (lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) < 0 ||
	    strncmp(path, WS_PATH "/", sizeof(WS_PATH)) != 0 || !*name)
		return 0;
	if (!hub_room_name_is_good(name))
		return -E_INVAL;
	memcpy(room, name, strlen(name) + 1);
	return 0;
}

static int read_room(struct lws *wsi, char room[HUB_ROOM_MAX + 1], const char **why)
{
	char asked[HUB_ROOM_MAX + 1];

	*why = bad_name;
	if (read_path(wsi, room) || read_arg(wsi, "room", asked, sizeof(asked), why))
		return -E_INVAL;
	if (!*asked)
		return 0;
	if (!hub_room_name_is_good(asked))
		return -E_INVAL;
	if (*room && strcmp(room, asked) != 0) {
		*why = "The path and the query name two rooms.";
		return -E_INVAL;
	}
	memcpy(room, asked, strlen(asked) + 1);
	return 0;
}

/* One in the header is a ticket if it looks like a JWT; an API token does not. */
static int read_ticket(struct lws *wsi, char ticket[LWS_HUB_TICKET_MAX + 1], const char **why)
{
	char header[HEAD_MAX];
	const char *token = header + sizeof(BEARER) - 1;
	int err = read_arg(wsi, "ticket", ticket, LWS_HUB_TICKET_MAX + 1, why);

	if (err || *ticket ||
	    lws_hdr_copy(wsi, header, sizeof(header), WSI_TOKEN_HTTP_AUTHORIZATION) <= 0 ||
	    strncasecmp(header, BEARER, sizeof(BEARER) - 1) != 0 ||
	    strncmp(token, JWT_BEGINS, sizeof(JWT_BEGINS) - 1) != 0)
		return err;
	if (strlen(token) > LWS_HUB_TICKET_MAX)
		return -E_INVAL;
	memcpy(ticket, token, strlen(token) + 1);
	return 0;
}

static int read_peer(struct lws *wsi, struct lws_hub_visit *out, const char **why)
{
	*why = "The id, the key or the token is too long.";
	if (read_arg(wsi, "id", out->id, sizeof(out->id), why) ||
	    read_arg(wsi, "key", out->key, sizeof(out->key), why))
		return -E_INVAL;
	return read_arg(wsi, "token", out->token, sizeof(out->token), why);
}

static const struct hub_dialect *read_dialect(struct lws *wsi)
{
	char path[HEAD_MAX];

	return lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) < 0
	           ? NULL
	           : hub_dialect_find(path);
}

int ws_visit_read(struct lws *wsi, struct lws_hub_visit *out, const char **why)
{
	int err;

	*out = (struct lws_hub_visit){.dialect = read_dialect(wsi)};
	err = out->dialect ? read_peer(wsi, out, why) : read_room(wsi, out->room, why);
	if (err)
		return err;
	*why = "The ticket is too long.";
	return read_ticket(wsi, out->ticket, why);
}
