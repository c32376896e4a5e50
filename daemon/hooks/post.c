/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A signed POST, by libcurl.
 */
#include "daemon/hooks/post.h"

#include "base/hmac.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct hook_post {
	CURL *easy;
	struct curl_slist *headers;
	char *body; /* of the exchange under way; NULL: there is none */
	bool cut;   /* the answer was longer than what we keep */
	char error[CURL_ERROR_SIZE];
	char answer[HOOK_ANSWER_MAX + 1];
	size_t answer_len;
};

void hook_sign(const struct hook_key *keys, size_t n, const char *id, int64_t at_s,
               const char *body, char out[HOOK_SIGNATURE_MAX])
{
	uint8_t digest[HMAC_SHA256_LEN];
	char *text = NULL, base64[48];
	size_t len = 0;
	int text_len = asprintf(&text, "%s.%" PRId64 ".%s", id, at_s, body);

	*out = 0;
	for (size_t i = 0; text_len >= 0 && i < n; i++) {
		hmac(HMAC_SHA256, keys[i].bytes, keys[i].len, text, (size_t)text_len, digest);
		EVP_EncodeBlock((unsigned char *)base64, digest, sizeof(digest));
		len += (size_t)snprintf(out + len, HOOK_SIGNATURE_MAX - len, "%sv1,%s",
		                        i ? " " : "", base64);
	}
	free(text_len < 0 ? NULL : text);
}

/* Returning less than there is ends the exchange: enough is known. */
static size_t on_answer(char *data, size_t one, size_t n, void *ctx)
{
	struct hook_post *p = ctx;
	size_t len = one * n, room = HOOK_ANSWER_MAX - p->answer_len;

	p->cut = len > room;
	len = p->cut ? room : len;
	memcpy(p->answer + p->answer_len, data, len);
	p->answer_len += len;
	p->answer[p->answer_len] = 0;
	return p->cut ? 0 : one * n;
}

struct hook_post *hook_post_new(void)
{
	struct hook_post *p = calloc(1, sizeof(*p));

	if (p)
		p->easy = curl_easy_init();
	if (p && p->easy)
		return p;
	free(p);
	return NULL;
}

static int add_header(struct hook_post *p, const char *name, const char *value)
{
	char line[HOOK_SIGNATURE_MAX + 40];
	struct curl_slist *more;

	snprintf(line, sizeof(line), "%s: %s", name, value);
	more = curl_slist_append(p->headers, line);
	if (!more)
		return -E_NOMEM;
	p->headers = more;
	return 0;
}

static int make_headers(struct hook_post *p, const struct hook_post_conf *conf, const char *id)
{
	char signature[HOOK_SIGNATURE_MAX], at[24];
	int64_t at_s = time(NULL);

	curl_slist_free_all(p->headers);
	p->headers = NULL;
	hook_sign(conf->keys, conf->key_n, id, at_s, p->body, signature);
	snprintf(at, sizeof(at), "%" PRId64, at_s);
	return add_header(p, "Content-Type", "application/json") || add_header(p, "Expect", "") ||
	               add_header(p, "webhook-id", id) || add_header(p, "webhook-timestamp", at) ||
	               add_header(p, "webhook-signature", signature)
	           ? -E_NOMEM
	           : 0;
}

static CURLcode set_up(struct hook_post *p, const struct hook_post_conf *conf)
{
	CURLcode r = CURLE_OK;

	/* What is kept with the handle, and must not come from the exchange before. */
	curl_easy_reset(p->easy);
#define SET(option, value) r = r ? r : curl_easy_setopt(p->easy, option, value)
	SET(CURLOPT_PRIVATE, p);
	SET(CURLOPT_ERRORBUFFER, p->error);
	SET(CURLOPT_URL, conf->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_PROXY, ""); /* whatever the environment names */
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (*conf->ca) {
		SET(CURLOPT_CAINFO, conf->ca);
		SET(CURLOPT_CAPATH, NULL);
	}
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TIMEOUT_MS, conf->timeout_ms);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_USERAGENT, "Turnpike/" TURNPIKE_VERSION);
	SET(CURLOPT_HTTPHEADER, p->headers);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(p->body));
	SET(CURLOPT_POSTFIELDS, p->body);
	SET(CURLOPT_WRITEFUNCTION, on_answer);
	SET(CURLOPT_WRITEDATA, p);
#undef SET
	return r;
}

int hook_post_begin(struct hook_post *p, CURLM *multi, const struct hook_post_conf *conf,
                    const char *id, const char *body)
{
	p->body = strdup(body);
	p->answer_len = 0;
	p->answer[0] = p->error[0] = 0;
	p->cut = false;
	if (p->body && !make_headers(p, conf, id) && !set_up(p, conf) &&
	    !curl_multi_add_handle(multi, p->easy))
		return 0;
	free(p->body);
	p->body = NULL;
	return -E_NOMEM;
}

struct hook_post *hook_post_of(CURL *easy)
{
	char *p = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &p);
	return (struct hook_post *)(void *)p;
}

void hook_post_end(struct hook_post *p, CURLM *multi, CURLcode code, struct hook_result *out)
{
	curl_off_t retry_after = 0;
	long status = 0;

	memset(out, 0, sizeof(*out));
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && p->cut)) {
		curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(p->easy, CURLINFO_RETRY_AFTER, &retry_after);
	}
	curl_multi_remove_handle(multi, p->easy);
	free(p->body);
	p->body = NULL;
	out->status = (int)status;
	out->retry_after_s = retry_after;
	out->answer = p->answer;
	out->answer_len = p->answer_len;
	if (!status)
		snprintf(out->error, sizeof(out->error), "%.150s",
		         *p->error ? p->error : curl_easy_strerror(code));
	else if (status / 100 == 3)
		snprintf(out->error, sizeof(out->error),
		         "answered %ld, and redirects are not followed: configure the URL itself",
		         status);
	else if (status / 100 != 2)
		snprintf(out->error, sizeof(out->error), "answered %ld", status);
}

void hook_post_free(struct hook_post *p, CURLM *multi)
{
	if (!p)
		return;
	if (p->body)
		curl_multi_remove_handle(multi, p->easy);
	curl_easy_cleanup(p->easy);
	curl_slist_free_all(p->headers);
	free(p->body);
	free(p);
}

int hook_ca_check(const char *path, struct why *why)
{
	X509 *one = NULL;
	FILE *f;

	if (!*path)
		return 0;
	f = fopen(path, "re");
	if (!f)
		return why_set(
		    why, error_from_errno(errno), "webhook_ca: cannot read %.200s: %s%s", path,
		    strerror(errno),
		    errno == EACCES ? "; if the sandbox is on, a new folder needs a restart" : "");
	one = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	X509_free(one);
	return one ? 0
	           : why_set(why, -E_INVAL, "webhook_ca: %.200s holds no certificate (PEM)", path);
}
