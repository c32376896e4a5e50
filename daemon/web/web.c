/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The libwebsockets context: a vhost without listeners, on a libuv loop nested
 * in the daemon's own. TLS was taken off before, and heads are whole and well
 * formed (daemon/listen/http_head.h).
 */
#include "daemon/web/web.h"

#include "base/log.h"
#include "daemon/web/http_api.h"
#include "daemon/web/lws_head.h"
#include "daemon/web/nest.h"
#include "daemon/web/origin.h"
#include "daemon/web/web_http.h"
#include "daemon/web/web_state.h"
#include "daemon/web/ws_visit.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DESTROY_WAIT_MS 2000
#define TX_BYTES        (16 << 20) /* LWS gives the socket no more at a time, and copies the rest */

struct web {
	struct web_conf conf;
	struct web_ops ops;
	void *ctx;
	struct nest *nest;
	struct web_http http;
	struct origin_rules rules;
	struct lws_hub *hub;
	struct lws_context *context; /* LWS itself clears it */
	struct lws_vhost *vhost;
	struct lws_protocols protocols[2];
	char state_path[PATH_MAX]; /* "": none */
};

/* LWS's data for each connection. */
struct conn {
	void *ws;
	struct http_exchange *http;
};

void web_conf_default(struct web_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->max_body = 16 * 1024;
	conf->request_timeout_s = 15;
	conf->goodbye_ms = 500;
	lws_hub_conf_default(&conf->hub);
}

/* LWS ends its lines itself. */
static void log_lws(enum log_level level, const char *line)
{
	char text[300];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
	log_at(level, NULL, "lws", LOG_STR("text", text));
}

static void log_aloud(int level, const char *line)
{
	(void)level;
	log_lws(LOG_LEVEL_WARN, line);
}

/* Once it runs, what LWS complains about is what clients send. */
static void log_quietly(int level, const char *line)
{
	(void)level;
	log_lws(LOG_LEVEL_DEBUG, line);
}

static void read_caller(void *ctx, struct lws *wsi, struct caller *out)
{
	struct web *w = ctx;

	origin_read_caller(&w->rules, wsi, out);
}

/* on_upgrade() has refused what is wrong in it. */
static void read_visit(void *ctx, struct lws *wsi, struct lws_hub_visit *out)
{
	const char *why;

	(void)ctx;
	ws_visit_read(wsi, out, &why);
}

static int on_head(struct web *w, struct lws *wsi, struct http_exchange **slot)
{
	struct caller caller;

	read_caller(w, wsi, &caller);
	return web_http_head(&w->http, wsi, &caller, slot);
}

/* RFC 6455 section 4.1: a nonce of 16 bytes in base64. */
static bool is_key(struct lws *wsi)
{
	char key[32];
	unsigned char nonce[24]; /* with what EVP_DecodeBlock() makes of the padding */

	return lws_hdr_copy(wsi, key, sizeof(key), WSI_TOKEN_KEY) == 24 && key[21] != '=' &&
	       key[22] == '=' && key[23] == '=' &&
	       EVP_DecodeBlock(nonce, (const unsigned char *)key, 24) == 18;
}

static bool is_version_13(struct lws *wsi)
{
	char version[8];

	return lws_hdr_copy(wsi, version, sizeof(version), WSI_TOKEN_VERSION) > 0 &&
	       !strcmp(version, "13");
}

static int on_upgrade(struct web *w, struct lws *wsi, char *to)
{
	struct lws_hub_visit visit;
	struct caller caller;
	const char *why;

	/* RFC 9110 section 7.8: an offer to upgrade to anything else may be passed over. LWS goes
	 * on with the plain request when it does not know what is offered. */
	if (strcasecmp(to, "websocket") != 0) {
		*to = '-';
		return 0;
	}
	read_caller(w, wsi, &caller);
	if (caller.host_bad || lws_hdr_total_length(wsi, WSI_TOKEN_HOST) <= 0)
		return web_http_refuse(wsi, 400, "bad-request", "The Host header names no host.",
		                       NULL);
	if (!origin_may_connect(&caller))
		return web_http_refuse(wsi, 403, ORIGIN_FOREIGN_CODE, ORIGIN_FOREIGN_TEXT, NULL);
	if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0)
		return web_http_refuse(wsi, 400, "bad-request", "A WebSocket must start with GET.",
		                       NULL);
	/* RFC 6455 section 4.4 */
	if (!is_version_13(wsi))
		return web_http_refuse(wsi, 426, "version",
		                       "This server supports version 13 of the WebSocket protocol.",
		                       "Sec-WebSocket-Version: 13\r\n");
	if (!is_key(wsi))
		return web_http_refuse(wsi, 400, "bad-request",
		                       "The Sec-WebSocket-Key is not 16 bytes in base64.", NULL);
	if (ws_visit_read(wsi, &visit, &why))
		return web_http_refuse(wsi, 400, visit.dialect ? "bad-request" : "bad-room", why,
		                       NULL);
	if (!lws_hub_has_room(w->hub))
		return web_http_refuse(wsi, 503, "full", "Too many connections. Try again later.",
		                       NULL);
	return 0;
}

static void end_visit(struct lws *wsi);

static void free_http(struct conn *s)
{
	if (!s)
		return;
	web_http_free(s->http);
	s->http = NULL;
}

/* "json" is also protocols[0]: LWS sends every HTTP request there, and every WebSocket that asks
 * for no subprotocol. */
static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
	struct conn *s = user;
	struct web *w;

	switch ((int)reason) {
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		w = lws_context_user(lws_get_context(wsi));
		return on_upgrade(w, wsi, in);
	case LWS_CALLBACK_HTTP:
		w = lws_context_user(lws_get_context(wsi));
		return on_head(w, wsi, &s->http);
	case LWS_CALLBACK_WSI_DESTROY:
		end_visit(wsi);
		return 0;
	case LWS_CALLBACK_HTTP_BODY:
		return s->http ? web_http_body(s->http, in, len) : -1;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return s->http ? web_http_done(s->http) : -1;
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return s && s->http ? web_http_writable(s->http) : 0;
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
	case LWS_CALLBACK_CLOSED_HTTP:
		free_http(s);
		return 0;
	/* LWS turns a CONNECT into a raw tunnel. Not here. */
	case LWS_CALLBACK_RAW_ADOPT:
	case LWS_CALLBACK_RAW_RX:
	case LWS_CALLBACK_RAW_WRITEABLE:
		return -1;
	case LWS_CALLBACK_ESTABLISHED:
	case LWS_CALLBACK_RECEIVE:
	case LWS_CALLBACK_RECEIVE_PONG:
	case LWS_CALLBACK_SERVER_WRITEABLE:
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
	case LWS_CALLBACK_CLOSED:
		if (!s)
			return 0;
		free_http(s);
		w = lws_context_user(lws_get_context(wsi));
		return lws_hub_callback(w->hub, wsi, reason, &s->ws, in, len);
	}
	return 0;
}

static void on_turn(void *ctx)
{
	lws_hub_turn(((struct web *)ctx)->hub);
}

static int64_t turn_wait_ms(void *ctx)
{
	return lws_hub_wait_ms(((struct web *)ctx)->hub);
}

static int on_ice_servers(void *ctx, const struct caller *from,
                          const struct hub_ice_request *request)
{
	struct web *w = ctx;
	struct caller caller = *from;
	struct ice_grant grant;
	json_t *servers;
	int err;

	caller.api_token = request->api_token;
	caller.own = true;
	caller.member_id = request->member_id;
	err = w->ops.grant(w->ctx, &caller, request->name, 0, &grant);
	if (err)
		return err;
	servers = ice_grant_servers(&grant);
	if (!servers)
		return -E_NOMEM;
	hub_ice_answer(lws_hub_core(w->hub), request->member_id, servers, grant.ttl_s,
	               grant.strict);
	json_decref(servers);
	return 0;
}

static int on_identify(void *ctx, const char *ticket, struct hub_identity *out, const char **why)
{
	struct web *w = ctx;

	return w->ops.identify ? w->ops.identify(w->ctx, ticket, out, why) : -E_UNSUPPORTED;
}

static int on_admit(void *ctx, uint64_t member_id, const struct hub_admission *who)
{
	struct web *w = ctx;

	return w->ops.admit(w->ctx, member_id, who);
}

static void on_link(void *ctx, const struct hub_link_news *news)
{
	struct web *w = ctx;

	if (w->ops.link)
		w->ops.link(w->ctx, news);
}

static void on_signal_event(void *ctx, const struct hub_event *event)
{
	struct web *w = ctx;

	if (w->ops.signal_event)
		w->ops.signal_event(w->ctx, event);
}

/* Only for its names: another part that terminates TLS has read the pair. */
static int load_cert(struct web *w, const char *path, struct why *why)
{
	FILE *file = fopen(path, "re");
	X509 *cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

	if (file)
		fclose(file);
	ERR_clear_error();
	if (!cert)
		return why_set(why, -E_INVAL, "%s: holds no certificate in PEM form", path);
	X509_free(w->rules.cert);
	w->rules.cert = cert;
	return 0;
}

static void fill_common(const struct web *w, struct lws_context_creation_info *info)
{
	memset(info, 0, sizeof(*info));
	info->gid = info->uid = (typeof(info->gid))-1;
	info->timeout_secs = w->conf.request_timeout_s;
	info->timeout_secs_ah_idle = w->conf.request_timeout_s;
	info->keepalive_timeout = (int)w->conf.request_timeout_s;
	info->options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
	                LWS_SERVER_OPTION_VALIDATE_UTF8;
}

static int make_context(struct web *w, struct why *why)
{
	struct lws_context_creation_info info;
	void *loop = nest_loop(w->nest);

	fill_common(w, &info);
	info.foreign_loops = &loop;
	info.user = w;
	info.pcontext = &w->context;
	info.pt_serv_buf_size = LWS_HUB_READ_BYTES;
	info.max_http_header_data = 8192;
	w->context = lws_create_context(&info);
	if (!w->context)
		return why_set(why, -E_IO,
		               "cannot start libwebsockets; is the package "
		               "libwebsockets-evlib-uv installed?");
	return 0;
}

static int make_vhost(struct web *w, struct why *why)
{
	struct lws_context_creation_info info;

	fill_common(w, &info);
	info.protocols = w->protocols;
	info.retry_and_idle_policy = &lws_hub_no_pings;
	info.vhost_name = "web";
	info.port = CONTEXT_PORT_NO_LISTEN;
	w->vhost = lws_create_vhost(w->context, &info);
	return w->vhost ? 0 : why_set(why, -E_IO, "cannot set up the web server");
}

int web_start(struct event_base *base, const struct web_conf *conf, const struct web_ops *ops,
              void *ctx, struct web **out, struct why *why)
{
	struct lws_hub_ops hub_ops = {.caller = read_caller,
	                              .visit = read_visit,
	                              .ice_servers = on_ice_servers,
	                              .identify = on_identify,
	                              .admit = ops->admit ? on_admit : NULL,
	                              .event = on_signal_event,
	                              .link = on_link};
	struct web *w;
	int err = 0;

	w = calloc(1, sizeof(*w));
	if (!w)
		return why_set(why, -E_NOMEM, "out of memory");
	w->conf = *conf;
	w->ops = *ops;
	w->ctx = ctx;
	w->rules = (struct origin_rules){.ops = &w->ops, .ctx = ctx};
	w->protocols[0] = (struct lws_protocols){
	    .name = LWS_HUB_SUBPROTOCOL,
	    .callback = on_lws,
	    .per_session_data_size = sizeof(struct conn),
	    .rx_buffer_size = LWS_HUB_RX_BYTES,
	    .tx_packet_size = TX_BYTES,
	};
	w->hub = lws_hub_new(&conf->hub, &hub_ops, w);
	err = w->hub ? 0 : why_set(why, -E_NOMEM, "out of memory");
	if (!err && conf->cert_path)
		err = load_cert(w, conf->cert_path, why);
	if (err)
		goto out;
	lws_set_log_level(LLL_ERR | LLL_WARN, log_aloud);
	err = nest_new(base, &w->nest, why);
	if (!err)
		w->http = (struct web_http){&w->conf, &w->ops, ctx, w->nest};
	if (!err)
		err = make_context(w, why);
	if (!err)
		err = make_vhost(w, why);
	lws_set_log_level(LLL_ERR | LLL_WARN, log_quietly);
	if (!err && conf->state_path) {
		snprintf(w->state_path, sizeof(w->state_path), "%s", conf->state_path);
		web_state_load(lws_hub_core(w->hub), w->state_path);
	}
	if (!err) {
		nest_set_guest(w->nest, &(struct nest_guest){on_turn, turn_wait_ms, w});
		nest_kick(w->nest);
	}
out:
	if (err)
		web_stop(w);
	else
		*out = w;
	return err;
}

int web_adopt(struct web *w, const struct web_visit *visit)
{
	char begun[HTTP_HEAD_MAX];
	struct lws *wsi = NULL;
	size_t len;

	/* LWS closes the socket on failure. */
	if (lws_head_take(visit->arrival.fd, begun, &len))
		close(visit->arrival.fd);
	else
		wsi = lws_adopt_socket_vhost_readbuf(w->vhost, visit->arrival.fd, begun, len);
	nest_kick(w->nest);
	if (!wsi) {
		visit->gone(visit->ctx);
		return -E_NOMEM;
	}
	lws_set_opaque_user_data(wsi, (void *)(uintptr_t)visit);
	return 0;
}

static void end_visit(struct lws *wsi)
{
	const struct web_visit *visit = lws_get_opaque_user_data(wsi);

	if (!visit)
		return;
	lws_set_opaque_user_data(wsi, NULL);
	visit->gone(visit->ctx);
}

int web_load_cert(struct web *w, const char *cert_path, struct why *why)
{
	return load_cert(w, cert_path, why);
}

void web_set_hub(struct web *w, const struct hub_conf *conf)
{
	lws_hub_set_conf(w->hub, conf);
}

static bool is_deserted(void *ctx)
{
	return lws_hub_count(((struct web *)ctx)->hub) == 0;
}

/* On a foreign loop LWS closes its handles in a first call, the loop has to run for their
 * callbacks, and a second call frees the rest. */
static void destroy_context(struct web *w)
{
	lws_context_destroy(w->context);
	nest_drain(w->nest, DESTROY_WAIT_MS, NULL, NULL);
	if (w->context)
		lws_context_destroy(w->context);
}

void web_stop(struct web *w)
{
	if (!w)
		return;
	if (w->context) {
		lws_hub_shut(w->hub);
		if (*w->state_path) /* nothing is read any more */
			web_state_save(lws_hub_core(w->hub), w->state_path);
		nest_drain(w->nest, (int)w->conf.goodbye_ms, is_deserted, w);
		nest_set_guest(w->nest, &(struct nest_guest){.turn = NULL});
		destroy_context(w);
	}
	nest_free(w->nest);
	lws_hub_free(w->hub);
	X509_free(w->rules.cert);
	free(w);
}

static unsigned tell(struct web *w, bool (*whom)(void *ctx, const char *name), void *ctx,
                     const char *code, const char *message)
{
	unsigned n = hub_tell(lws_hub_core(w->hub), whom, ctx, code, message);

	if (n)
		nest_kick(w->nest);
	return n;
}

unsigned web_revoke(struct web *w, bool (*whom)(void *ctx, int64_t key, const char *sub), void *ctx)
{
	unsigned n = hub_revoke(lws_hub_core(w->hub), whom, ctx);

	if (n)
		nest_kick(w->nest);
	return n;
}

unsigned web_tell_revoked(struct web *w, bool (*whom)(void *ctx, const char *name), void *ctx)
{
	return tell(w, whom, ctx, "credentials-revoked",
	            "Your relay credentials were revoked. Your relayed calls end.");
}

static bool is_he(void *ctx, const char *name)
{
	return !ctx || !strcmp(ctx, name);
}

unsigned web_tell_stale(struct web *w, const char *name)
{
	return tell(w, is_he, (void *)name, "ice-servers-stale",
	            "One of your relay credentials was revoked. Ask for new ICE servers.");
}

struct hub *web_hub(struct web *w)
{
	nest_kick(w->nest);
	return lws_hub_core(w->hub);
}

unsigned web_member_count(const struct web *w)
{
	return hub_member_count(lws_hub_core(w->hub));
}

unsigned web_room_count(const struct web *w)
{
	return hub_room_count(lws_hub_core(w->hub));
}

unsigned web_call_count(const struct web *w)
{
	return hub_call_count(lws_hub_core(w->hub));
}
