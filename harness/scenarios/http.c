/* SPDX-License-Identifier: BSD-3-Clause
 *
 * libcurl, in the few lines that we need of it.
 */
#include "harness/scenarios/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct http_answer *a = arg;
	size_t len = size * n, room = sizeof(a->body) - 1 - a->len;
	size_t part = len < room ? len : room;

	memcpy(a->body + a->len, data, part);
	a->len += part;
	a->body[a->len] = '\0';
	return len;
}

/* "Expire date:Jan  1 00:00:00 2030 GMT" and "Subject:CN = x" of the first certificate. */
static void read_certificate(CURL *c, struct http_answer *a)
{
	struct curl_certinfo *info = NULL;
	struct tm tm = {.tm_isdst = 0};

	if (curl_easy_getinfo(c, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
	    info->num_of_certs < 1)
		return;
	a->tls = true;
	for (const struct curl_slist *s = info->certinfo[0]; s; s = s->next) {
		if (!strncmp(s->data, "Expire date:", 12) &&
		    strptime(s->data + 12, "%b %d %H:%M:%S %Y", &tm))
			a->cert_expires_s = timegm(&tm);
		if (!strncmp(s->data, "Subject:", 8))
			snprintf(a->cert_name, sizeof(a->cert_name), "%s", s->data + 8);
	}
}

static void set_options(CURL *c, const struct http_request *req, struct http_answer *a,
                        char error[CURL_ERROR_SIZE])
{
	curl_easy_setopt(c, CURLOPT_URL, req->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)req->limit_ms);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "turnpike-harness/" TURNPIKE_VERSION);
	if (req->insecure) {
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (req->post)
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, req->post);
}

int http_ask(const struct http_request *req, struct http_answer *a, struct why *why)
{
	char error[CURL_ERROR_SIZE] = "", header[512];
	struct curl_slist *headers = NULL;
	CURL *c = curl_easy_init();
	CURLcode code;

	memset(a, 0, sizeof(*a));
	if (!c)
		return why_set(why, -E_NOMEM, "out of memory");
	set_options(c, req, a, error);
	if (req->post)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	if (req->api_token) {
		snprintf(header, sizeof(header), "Authorization: Bearer %s", req->api_token);
		headers = curl_slist_append(headers, header);
	}
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
	read_certificate(c, a);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	if (code == CURLE_OK)
		return 0;
	return why_set(why, code == CURLE_PEER_FAILED_VERIFICATION ? -E_DENIED : -E_IO, "%s",
	               error[0] ? error : curl_easy_strerror(code));
}
