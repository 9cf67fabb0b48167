/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/replicate.h"

#include <errno.h>
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "io/kept.h"
#include "pure/fingerprint.h"
#include "pure/hashkey.h"

#define TICK_US 20000
#define BURST_S 0.1 /* so many seconds' worth may be told at once */
#define GREETINGS 3 /* datagrams get lost */
#define GREETING_MS 1000
/* What is told is told again so often within the shortest flow timeout, within these bounds. */
#define AGAIN_A_TIMEOUT 3
#define AGAIN_MIN_MS 500
#define AGAIN_MAX_MS 100000

/* ---- messages -----------------------------------------------------------------------------------*/

static void send_out(struct replicate *r, enum peer_type type)
{
	uint8_t data[PEER_MSG_MAX];
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	r->out.type = type;
	r->out.number++;
	r->out.time_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
	r->out.secret = r->secret;
	peers_send(r->socket, data, peer_msg_seal(&r->out, r->key, data));
	r->counters.told += r->out.n;
	r->out.n = 0;
}

static void flush(struct replicate *r, enum peer_type type)
{
	if (r->out.n)
		send_out(r, type);
}

static void add(struct replicate *r, enum peer_type type, const struct known_service *k,
		const struct shunt_new *flow, uint64_t id)
{
	r->out.entries[r->out.n++] = (struct peer_entry){
		.hash = flow->hash,
		.backend = id,
		.salt = flow->salt,
		.slot = flow->slot,
		.slots_log2 = names_slots_log2(k),
	};
	r->tokens -= 1;
	if (r->out.n == PEER_ENTRIES)
		flush(r, type);
}

/* ---- news ---------------------------------------------------------------------------------------*/

static void remember(struct replicate *r, const struct shunt_new *flow)
{
	struct told *told = r->told;

	told->flow[told->next] = *flow;
	told->next = (told->next + 1) % REPLICATE_TOLD;
	told->n += told->n < REPLICATE_TOLD;
}

/* What is more than the rate is told with what is told again. */
static void tell(struct replicate *r, const struct shunt_new *flow)
{
	const struct known_service *k = names_service(&r->names, flow->salt);
	uint64_t id = k ? names_id(k, flow->number) : 0;

	if (!id)
		return;
	remember(r, flow);
	if (r->tokens >= 1)
		add(r, PEER_NEWS, k, flow, id);
	else
		r->counters.delayed++;
}

/* What was news before this daemon came may be so no more: it is told as what is told again, with what an
 * earlier daemon has told. */
static void take_over(struct replicate *r)
{
	struct shunt_new news[256];
	uint64_t lost = 0;
	size_t n, i;

	do {
		n = dp_news_read(r->engine->dp, r->read, news, 256, &lost);
		for (i = 0; i < n; i++)
			remember(r, &news[i]);
	} while (n == 256);
	r->hurry = r->told->n;
}

static void tell_news(struct replicate *r)
{
	struct shunt_new news[256];
	size_t n, i;

	do {
		n = dp_news_read(r->engine->dp, r->read, news, 256, &r->counters.lost);
		for (i = 0; i < n; i++)
			tell(r, &news[i]);
	} while (n == 256);
	flush(r, PEER_NEWS);
}

/* ---- again --------------------------------------------------------------------------------------*/

static uint32_t again_ms(const struct engine *e)
{
	uint32_t ms = AGAIN_MAX_MS * AGAIN_A_TIMEOUT;
	size_t i;

	for (i = 0; i < e->n_services; i++)
		if (conf_flow_timeout_ms(e->services[i]->conf) < ms)
			ms = conf_flow_timeout_ms(e->services[i]->conf);
	ms /= AGAIN_A_TIMEOUT;
	return ms < AGAIN_MIN_MS ? AGAIN_MIN_MS : ms;
}

/* Looks at one that was told: it is forgotten when nobody needs it any more. */
static void look_again(struct replicate *r, struct shunt_new *flow, uint16_t now)
{
	const struct known_service *k = names_service(&r->names, flow->salt);
	uint64_t id = k ? names_id(k, flow->number) : 0;
	struct dp_flow f = {.hash = flow->hash, .slot = flow->slot};

	if (id) {
		f.slots_log2 = names_slots_log2(k);
		names_flow(k, flow->number, &f);
	}
	if (id && dp_flow_lives(r->engine->dp, &f, now))
		add(r, PEER_AGAIN, k, flow, id);
	else
		*flow = (struct shunt_new){0};
}

static void tell_again(struct replicate *r, double elapsed_s)
{
	const uint16_t now = dp_tick(r->engine->dp);

	r->steps += r->told->n * elapsed_s * 1000 / again_ms(r->engine);
	if (r->steps > r->told->n)
		r->steps = r->told->n;
	while (r->told->n && r->tokens >= 1 && (r->hurry || r->steps >= 1)) {
		struct shunt_new *flow = &r->told->flow[r->walk++ % r->told->n];

		if (flow->number)
			look_again(r, flow, now);
		if (r->hurry)
			r->hurry--;
		else
			r->steps -= 1;
	}
	flush(r, PEER_AGAIN);
}

/* ---- time ---------------------------------------------------------------------------------------*/

static void greet(struct replicate *r, mono_t now)
{
	if (!r->greetings ||
	    (!mono_is_never(r->greeted) && mono_diff_us(r->greeted, now) < GREETING_MS * 1000))
		return;
	r->greetings--;
	r->greeted = now;
	send_out(r, PEER_HELLO);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct replicate *r = arg;
	mono_t now = mono_now();
	double elapsed_s = (double)mono_diff_us(r->ticked, now) / 1e6;

	(void)fd, (void)what;
	r->ticked = now;
	r->tokens += elapsed_s * r->conf.rate;
	if (r->tokens > r->conf.rate * BURST_S)
		r->tokens = r->conf.rate * BURST_S;
	greet(r, now);
	if (names_refresh(&r->names, r->engine))
		return;
	tell_news(r);
	tell_again(r, elapsed_s);
}

/* ---- opening ------------------------------------------------------------------------------------*/

void replicate_close(struct engine *e)
{
	struct replicate *r = e->replicate;

	if (!r)
		return;
	peers_close(r->socket);
	if (r->tick)
		event_free(r->tick);
	names_fini(&r->names);
	free(r->read);
	kept_close(r->told, sizeof(*r->told));
	free(r->early);
	sodium_memzero(r->key, sizeof(r->key));
	free(r);
	e->replicate = NULL;
}

static void derive(struct replicate *r, const struct conf *conf)
{
	uint64_t hash_key[SHUNT_HASH_WORDS];

	hashkey_derive(conf->hash_secret, hash_key);
	r->secret = fingerprint_secret(hash_key);
	peer_key_derive(conf->peers.secret ? conf->peers.secret : conf->hash_secret, r->key);
	randombytes_buf(r->out.session, sizeof(r->out.session));
}

static int open_socket(struct replicate *r)
{
	struct peer_address list[CONF_PEERS_MAX];
	const struct conf_peers *c = &r->conf;
	struct peers_options o = {
		.listen = {c->listen.addr, c->listen.port},
		.list = list,
		.n = c->n,
		.heard = replicate_heard,
		.arg = r,
	};
	size_t i;

	for (i = 0; i < c->n; i++)
		list[i] = (struct peer_address){c->list[i].addr, c->list[i].port};
	return peers_open(r->engine->base, &o, &r->socket);
}

/* What is there of another secret, or nobody's, begins empty. */
static int open_told(struct replicate *r, const struct conf *conf)
{
	const uint64_t of = TOLD_LAYOUT | r->secret;
	void *at = NULL;
	char path[512];
	int err;

	snprintf(path, sizeof(path), "%s/%s.told", conf->run_dir, conf->instance);
	err = kept_open(path, sizeof(*r->told), &at);
	if (!at)
		return -ENOMEM;
	if (err)
		log_warning("%s: %s: after a restart peers are not told again of all flows", path,
			    strerror(-err));
	r->told = at;
	if (r->told->of == of && r->told->next < REPLICATE_TOLD && r->told->n <= REPLICATE_TOLD)
		return 0;
	memset(r->told, 0, sizeof(*r->told));
	r->told->of = of;
	return 0;
}

static int open_all(struct replicate *r, const struct conf *conf)
{
	const struct timeval every = {.tv_usec = TICK_US};
	int err;

	r->conf = conf->peers;
	r->conf.secret = NULL; /* the configuration's */
	r->greetings = GREETINGS;
	r->ticked = mono_now();
	r->counters.peers = (uint32_t)conf->peers.n;
	r->read = calloc(dp_news_cpus(r->engine->dp) + 1, sizeof(*r->read));
	r->early = calloc(REPLICATE_EARLY, sizeof(*r->early));
	r->tick = event_new(r->engine->base, -1, EV_PERSIST, on_tick, r);
	if (!r->read || !r->early || !r->tick || sodium_init() < 0)
		return -ENOMEM;
	derive(r, conf);
	err = open_told(r, conf);
	if (err)
		return err;
	take_over(r);
	return event_add(r->tick, &every) ? -ENOMEM : open_socket(r);
}

static bool is_as(const struct conf_peers *a, const struct conf_peers *b)
{
	size_t i;

	if (a->n != b->n || a->rate != b->rate || a->listen.port != b->listen.port ||
	    addr_compare(&a->listen.addr, &b->listen.addr) != 0)
		return false;
	for (i = 0; i < a->n; i++)
		if (a->list[i].port != b->list[i].port ||
		    addr_compare(&a->list[i].addr, &b->list[i].addr) != 0)
			return false;
	return true;
}

/* Whether @r has the key of @conf. */
static bool has_key(const struct replicate *r, const struct conf *conf)
{
	struct replicate other = {0};

	peer_key_derive(conf->peers.secret ? conf->peers.secret : conf->hash_secret, other.key);
	return sodium_memcmp(r->key, other.key, sizeof(r->key)) == 0;
}

void replicate_configure(struct engine *e)
{
	const struct conf *conf = e->conf;
	char at[ADDR_PORT_TEXT_MAX];
	int err;

	if (e->replicate && conf->peers.n && is_as(&e->replicate->conf, &conf->peers) &&
	    has_key(e->replicate, conf))
		return;
	replicate_close(e);
	if (!conf->peers.n)
		return;
	e->replicate = calloc(1, sizeof(*e->replicate));
	if (!e->replicate)
		return;
	e->replicate->engine = e;
	err = open_all(e->replicate, conf);
	addr_port_format(&conf->peers.listen.addr, conf->peers.listen.port, at);
	if (!err) {
		log_info("peers: %zu, heard at %s", conf->peers.n, at);
		return;
	}
	log_error("peers are neither told of flows nor heard: cannot listen at %s: %s; peer_listen "
		  "is an "
		  "address of this host with a free port",
		  at, strerror(-err));
	replicate_close(e);
}

void replicate_view(const struct engine *e, struct view_peers *out)
{
	const struct replicate *r = e->replicate;

	if (!r)
		return;
	*out = r->counters;
	out->fates[PEER_STRANGER] = peers_counters(r->socket)->strangers;
	out->unsent = peers_counters(r->socket)->unsent;
	out->waiting = r->early_n;
}
