/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The verifier of tickets, against what must hold of each ticket that it takes.
 */
#include "base/error.h"
#include "base/text.h"
#include "daemon/issue/fuzz/fuzz.h"
#include "daemon/issue/ticket.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECRET   "a-secret-of-more-than-32-bytes-0123456789"
#define LATER_S  600
#define MAX_S    86400
#define TEXT_MAX 8192

/* The secret, in base64; and a public key, whose private half nobody has. */
static char north[] = "north:HS256:YS1zZWNyZXQtb2YtbW9yZS10aGFuLTMyLWJ5dGVzLTAxMjM0NTY3ODk=",
            east[] = "east:ES256:MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnC1CN/K7XPfKIMW8et8KFYIo1+"
                     "4hV2uuu/E+lXRCkJJ/1UVfmsiF6udMP1JxtoJLc4dHwyRAqSuoMa6LqPHEEA==",
            here[] = "here", us[] = "us", nothing[] = "";

static const char *now; /* the ticket that is judged */

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "a ticket was taken: %s\n%s\n", what, now);
	abort();
}

static void put64(char *out, const void *bytes, size_t len)
{
	size_t at = strlen(out);

	EVP_EncodeBlock((unsigned char *)out + at, bytes, (int)len);
	for (char *c = out + at; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? 0 : *c;
}

static void put_hmac(char *out, const char *secret, const char *text, size_t len)
{
	unsigned char mac[32];

	HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text, len, mac,
	     NULL);
	put64(out, mac, sizeof(mac));
}

/* Behind the last dot stands the one right HMAC of all before it, and there are two dots. */
static void check_signature(const char *ticket)
{
	const char *last = strrchr(ticket, '.');
	char mac[64] = "";
	size_t dots = 0;

	for (const char *c = ticket; *c; c++)
		dots += *c == '.';
	check(dots == 2 && strlen(ticket) <= TICKET_MAX_LEN, "of another form");
	put_hmac(mac, SECRET, ticket, (size_t)(last - ticket));
	check(!strcmp(mac, last + 1), "with another signature");
}

static void check_identity(const struct hub_identity *who, int64_t before_s)
{
	size_t sub = strnlen(who->sub, sizeof(who->sub)),
	       name = strnlen(who->name, sizeof(who->name));

	check(sub && sub <= HUB_SUB_MAX && text_is_printable(who->sub, sub), "its sub");
	check(name && name <= HUB_NAME_MAX && text_is_printable(who->name, name), "its name");
	check(who->any_room
	          ? !*who->room
	          : memchr(who->room, 0, sizeof(who->room)) && hub_room_name_is_good(who->room),
	      "its room");
	check(!(who->may & ~(unsigned)TICKET_MAY_ALL), "its rights");
	check(who->exp_s > before_s && who->exp_s <= time(NULL) + MAX_S, "its end");
	check(strncmp(who->sub, TICKET_ACCOUNT, strlen(TICKET_ACCOUNT)) != 0, "an account's");
}

/* HEADER, a line end, CLAIMS: as a signed ticket. */
static void sign(const char *secret, const char *text, char out[TEXT_MAX])
{
	char claims[TEXT_MAX / 2] = "", *to = claims;
	const char *at = strchr(text, '\n');

	*out = 0;
	put64(out, text, at ? (size_t)(at - text) : strlen(text));
	for (at = at ? at + 1 : ""; *at && to < claims + sizeof(claims) - 24; at++)
		if (*at == '@')
			to += sprintf(to, "%lld", (long long)time(NULL) + LATER_S);
		else
			*to++ = *at;
	*to = 0;
	strcat(out, ".");
	put64(out, claims, strlen(claims));
	to = out + strlen(out);
	strcat(out, ".");
	put_hmac(out, secret, out, (size_t)(to - out));
}

static struct tickets *tickets_of(struct conf *conf, uint8_t flags)
{
	static char *keys[] = {north, east};
	struct tickets *t = tickets_new(conf, NULL, NULL);

	*conf = (struct conf){.ticket_key = {.v = keys, .n = 2},
	                      .ticket_ttl = LATER_S,
	                      .max_ticket_ttl = MAX_S,
	                      .ticket_issuer = flags & FUZZ_AUD ? us : nothing,
	                      .ticket_audience = flags & FUZZ_AUD ? here : nothing};
	if (!t || tickets_set_keys(t, NULL, NULL))
		abort();
	return t;
}

/* Signing here is what the verifier takes: else no seed would reach what lies behind that. */
static void take_a_good_one(void)
{
	static bool done;
	char text[TEXT_MAX];
	struct hub_identity who;
	struct tickets *t;
	struct conf conf;
	const char *why;

	if (done)
		return;
	done = true;
	t = tickets_of(&conf, 0);
	sign(SECRET, "{\"alg\":\"HS256\"}\n{\"sub\":\"alice\",\"exp\":@}", text);
	if (ticket_identify(t, text, &who, &why))
		abort();
	tickets_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[TEXT_MAX / 4], signed_text[TEXT_MAX];
	int64_t before_s = time(NULL);
	struct hub_identity who;
	const char *why = NULL;
	struct tickets *t;
	struct conf conf;
	int err;

	take_a_good_one();
	if (!len || len > sizeof(text))
		return 0;
	memcpy(text, data + 1, len - 1);
	text[len - 1] = 0;
	t = tickets_of(&conf, data[0]);
	now = text;
	if (data[0] & FUZZ_SIGN) {
		sign(data[0] & FUZZ_FORGE ? SECRET "x" : SECRET, text, signed_text);
		now = signed_text;
	}
	err = ticket_identify(t, now, &who, &why);
	if (!err) {
		check_signature(now);
		check_identity(&who, before_s);
	} else if (!why || (err != -E_DENIED && err != -E_STALE)) {
		abort(); /* each refusal says why */
	}
	tickets_free(t);
	return 0;
}
