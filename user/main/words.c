/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/words.h"

#include <inttypes.h>
#include <string.h>

#include "main/units.h"
#include "pure/verdict.h"

const char *words_xdp(enum view_xdp x)
{
	return x <= VIEW_XDP_GENERIC ? view_xdp_name(x) : "?";
}

static const char *words_health(enum health_state h)
{
	return h <= HEALTH_UNCHECKED ? health_name(h) : "?";
}

static const char *words_nexthop(enum view_nexthop n)
{
	return n < VIEW_NH_MAX ? view_nexthop_name(n) : "?";
}

const char *words_scheduler(enum shunt_scheduler s)
{
	return s < SHUNT_SCHEDULER_MAX ? conf_scheduler_name(s) : "?";
}

const char *words_forward(enum shunt_forward f)
{
	return f < SHUNT_FORWARD_MAX ? conf_forward_name(f) : "?";
}

static const char *words_on_empty(enum conf_on_empty e)
{
	return e <= CONF_EMPTY_PASS ? conf_on_empty_name(e) : "?";
}

static const char *words_check(enum conf_check_kind k)
{
	return k < CONF_CHECK_KIND_MAX ? conf_check_name(k) : "?";
}

static bool known(enum shunt_verdict v)
{
	return v > SHUNT_GO_ON && v < SHUNT_VERDICT_MAX;
}

const char *words_verdict(enum shunt_verdict v)
{
	return known(v) ? verdict_name(v) : "?";
}

const char *words_verdict_class(enum shunt_verdict v)
{
	return known(v) ? verdict_class_name(verdict_class(v)) : "?";
}

const char *words_verdict_meaning(enum shunt_verdict v)
{
	return known(v) ? verdict_words(v) : "this shunt is older than shuntd";
}

/* ---- a backend's state ------------------------------------------------------------------------*/

enum state {
	STATE_LEAVING,
	STATE_MAINTENANCE,
	STATE_DRAINED,
	STATE_DOWN,
	STATE_NO_NEXT_HOP,
	STATE_STANDBY,
	STATE_SUSPECT,
	STATE_STARTING,
	STATE_UP
};

bool words_has_next_hop(const struct view_backend *b)
{
	return b->nexthop == VIEW_NH_RESOLVED || b->nexthop == VIEW_NH_NOT_NEEDED;
}

static enum state state_of(const struct view_backend *b)
{
	if (b->leaving)
		return STATE_LEAVING;
	if (b->admin == VIEW_ADMIN_DISABLED)
		return STATE_MAINTENANCE;
	if (b->admin == VIEW_ADMIN_DRAINED)
		return STATE_DRAINED;
	if (b->health == HEALTH_DOWN || b->passive_out)
		return STATE_DOWN;
	if (!words_has_next_hop(b))
		return STATE_NO_NEXT_HOP;
	if (b->standby)
		return STATE_STANDBY;
	if (b->passive[0])
		return STATE_SUSPECT;
	return b->health == HEALTH_UNKNOWN ? STATE_STARTING : STATE_UP;
}

static const struct {
	const char *word, *colour;
} states[] = {
	[STATE_LEAVING] = {"leaving", "yellow"},
	[STATE_MAINTENANCE] = {"maintenance", "yellow"},
	[STATE_DRAINED] = {"drained", "yellow"},
	[STATE_DOWN] = {"down", "red"},
	[STATE_NO_NEXT_HOP] = {"no next hop", "red"},
	[STATE_STANDBY] = {"standby", NULL},
	[STATE_SUSPECT] = {"suspect", "yellow"},
	[STATE_STARTING] = {"starting", NULL},
	[STATE_UP] = {"up", "green"},
};

const char *words_state(const struct view_backend *b)
{
	return states[state_of(b)].word;
}

const char *words_state_colour(const struct view_backend *b)
{
	return states[state_of(b)].colour;
}

static const char *drain_going(const struct view_backend *b, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	if (b->flows_known)
		used = (size_t)snprintf(out, size, "about %" PRIu64 " flows left, ", b->flows_left);
	used += (size_t)snprintf(out + used, size - used, "quiet for %s",
				 units_age(b->idle_ms).text);
	if (b->oldest_ms / 1000 > b->idle_ms / 1000)
		used += (size_t)snprintf(out + used, size - used, " to %s",
					 units_age(b->oldest_ms).text);
	used += (size_t)snprintf(out + used, size - used, " of %s", units_age(b->quiet_ms).text);
	if (b->deadline_ms)
		snprintf(out + used, size - used, ", the rest moves in %s",
			 units_long_age(b->deadline_ms).text);
	return out;
}

const char *words_drain(const struct view_backend *b, char *out, size_t size)
{
	switch (b->drain) {
	case VIEW_DRAIN_GOING:
		return drain_going(b, out, size);
	case VIEW_DRAIN_DONE:
		return "its flows have ended";
	case VIEW_DRAIN_EXPIRED:
		return "the deadline has come: flows that were left have moved";
	default:
		return "";
	}
}

/* "L7STS 503: HTTP status 503, wanted 200-399 (check web)" */
static size_t probe_reason(const struct view_backend *b, char *out, size_t size)
{
	int n = snprintf(out, size, "%s%s%s%s%s%s", b->code, b->code[0] && b->reason[0] ? ": " : "",
			 b->reason, b->check[0] ? " (check " : "", b->check,
			 b->check[0] ? ")" : "");

	return n > 0 ? (size_t)n : 0;
}

/* "disk swap; by alice (uid 0)" */
static size_t edit_reason(const struct view_backend *b, char *out, size_t size)
{
	int n = snprintf(out, size, "%s%sby %s", b->admin_reason, b->admin_reason[0] ? "; " : "",
			 b->admin_by);

	return b->admin_by[0] && n > 0 ? (size_t)n : 0;
}

/* Of what gets no new flows, or nothing at all. */
static void hand_reason(const struct view_backend *b, char *out, size_t size)
{
	size_t used = edit_reason(b, out, size);
	char drain[128];
	const char *words = words_drain(b, drain, sizeof(drain));

	out[used] = '\0';
	if (words[0])
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "; " : "", words);
	if (b->health != HEALTH_DOWN)
		return;
	used += (size_t)snprintf(out + used, size - used, "%sand down: ", used ? "; " : "");
	probe_reason(b, out + used, size - used);
}

static void up_reason(const struct view_backend *b, char *out, size_t size)
{
	size_t used = 0;

	if (b->climb)
		used = (size_t)snprintf(out, size, "climbs: %u/%u of its share; ", b->climb,
					POOL_STEPS);
	if (b->admin_by[0] && !b->edited && b->weight != b->configured_weight)
		used += (size_t)snprintf(out + used, size - used, "weight %u of %u: %s; ",
					 b->weight, b->configured_weight, b->admin_reason);
	if (b->health == HEALTH_UNCHECKED)
		snprintf(out + used, size - used, "not checked");
	else if (b->latency_us)
		snprintf(out + used, size - used, "%s%s%s%s%s%s", b->code,
			 b->code[0] ? " in " : "answers in ", units_latency(b->latency_us).text,
			 b->check[0] ? " (check " : "", b->check, b->check[0] ? ")" : "");
	else
		snprintf(out + used, size - used, "%s", b->reason);
}

uint64_t words_state_age(const struct view_backend *b)
{
	switch (state_of(b)) {
	case STATE_MAINTENANCE:
	case STATE_DRAINED:
		return b->admin_age_ms ? b->admin_age_ms : WORDS_NO_AGE;
	case STATE_LEAVING:
	case STATE_NO_NEXT_HOP:
	case STATE_STANDBY:
		return b->state_age_ms ? b->state_age_ms : WORDS_NO_AGE;
	default:
		return b->passive[0] && b->health != HEALTH_DOWN ? b->passive_age_ms
								 : b->health_age_ms;
	}
}

const char *words_reason(const struct view_backend *b, char *out, size_t size)
{
	size_t used;

	switch (state_of(b)) {
	case STATE_LEAVING:
	case STATE_MAINTENANCE:
	case STATE_DRAINED:
		hand_reason(b, out, size);
		break;
	case STATE_STANDBY:
		snprintf(out, size, "%s, not needed now",
			 b->pool >= POOL_BACKUP ? "backup" : "further pool");
		break;
	case STATE_DOWN:
		used = words_passive(b, out, size);
		if (b->health == HEALTH_DOWN)
			used += probe_reason(b, out + used, size - used);
		if (!words_has_next_hop(b) && used < size)
			snprintf(out + used, size - used, "; next hop: %s",
				 words_nexthop(b->nexthop));
		break;
	case STATE_NO_NEXT_HOP:
		snprintf(out, size, "%s%s", words_nexthop(b->nexthop),
			 view_nexthop_advice(b->nexthop));
		break;
	case STATE_SUSPECT:
		used = words_passive(b, out, size);
		up_reason(b, out + used, size - used);
		break;
	case STATE_STARTING:
		if (!b->reason[0])
			snprintf(out, size, "not probed yet, counts as up");
		else
			probe_reason(b, out, size);
		break;
	case STATE_UP:
		up_reason(b, out, size);
	}
	return out;
}

/* ---- JSON -------------------------------------------------------------------------------------*/

void words_json_traffic(struct json *j, const struct view_traffic *t)
{
	json_number(j, "packets", t->packets);
	json_number(j, "bytes", t->bytes);
	json_number(j, "flows", t->flows);
	json_number(j, "packets_per_s", t->packets_per_s);
	json_number(j, "bytes_per_s", t->bytes_per_s);
	json_number(j, "flows_per_s", t->flows_per_s);
}

void words_json_interface(struct json *j, const struct view_interface *i)
{
	json_object(j, NULL);
	json_text(j, "name", i->name);
	json_number(j, "ifindex", i->ifindex);
	json_text(j, "xdp", words_xdp(i->xdp));
	json_bool(j, "link_up", i->link_up);
	json_text_or_null(j, "note", i->note);
	json_object_end(j);
}

void words_json_verdict(struct json *j, const struct view_verdict *v)
{
	json_object(j, NULL);
	json_text(j, "name", words_verdict(v->verdict));
	json_text(j, "class", words_verdict_class(v->verdict));
	json_text(j, "meaning", words_verdict_meaning(v->verdict));
	json_number(j, "packets", v->packets);
	json_number(j, "packets_per_s", v->packets_per_s);
	json_object_end(j);
}

static void json_address(struct json *j, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	json_text_or_null(j, name, addr_is_none(a) ? "" : addr_format(a, text));
}

void words_json_service(struct json *j, const struct view_service *s)
{
	uint8_t vip_bits = s->vip_bits ? s->vip_bits : addr_bits(&s->vip);
	char vip[ADDR_PREFIX_TEXT_MAX];

	json_object(j, NULL);
	json_text(j, "name", s->name);
	json_text_or_null(j, "vip",
			  addr_is_none(&s->vip) ? "" : addr_prefix_format(&s->vip, vip_bits, vip));
	json_number(j, "port", s->port);
	json_text_or_null(j, "ports", s->ports);
	json_text(j, "protocol", conf_protocol_name(s->protocol));
	json_text(j, "scheduler", words_scheduler(s->scheduler));
	json_text(j, "forward", words_forward(s->forward));
	json_text(j, "on_empty", words_on_empty(s->on_empty));
	json_text(j, "check", words_check(s->check));
	json_number(j, "slots", s->slots);
	json_number(j, "moving", s->moving);
	json_number(j, "backends", s->backends);
	json_number(j, "usable", s->usable);
	json_number(j, "not_up", s->not_up);
	json_bool(j, "failing_open", s->failing_open);
	json_bool(j, "panicking", s->panicking);
	json_number(j, "last_pool", s->last_pool);
	words_json_traffic(j, &s->traffic);
	json_number(j, "no_backend", s->no_backend);
	json_number(j, "over_rate", s->over_rate);
	json_object_end(j);
}

static void json_number_or_null(struct json *j, const char *name, bool known, uint64_t value)
{
	if (known)
		json_number(j, name, value);
	else
		json_text_or_null(j, name, "");
}

void words_json_flows_now(struct json *j, const struct view_backend *b)
{
	json_number_or_null(j, "flows_now", b->flows_known, b->flows_left);
}

static void json_pool(struct json *j, const struct view_backend *b)
{
	const bool drains = b->drain == VIEW_DRAIN_GOING;

	json_number(j, "pool", b->pool);
	json_bool(j, "standby", b->standby);
	json_text_or_null(j, "gets", b->gets);
	json_number(j, "share", b->climb ? b->climb : POOL_STEPS);
	json_bool(j, "leaving", b->leaving);
	json_text(j, "drain", b->drain <= VIEW_DRAIN_EXPIRED ? view_drain_name(b->drain) : "?");
	json_number(j, "idle_ms", b->idle_ms);
	json_number(j, "quiet_ms", b->quiet_ms);
	json_number_or_null(j, "deadline_ms", b->deadline_ms, b->deadline_ms);
	words_json_flows_now(j, b);
	json_number_or_null(j, "flows_left", b->flows_known && drains, b->flows_left);
	json_number_or_null(j, "oldest_ms", b->flows_known && drains, b->oldest_ms);
}

void words_json_backend(struct json *j, const struct view_backend *b)
{
	const uint8_t *m = b->mac;
	char mac[24] = "";

	if (m[0] | m[1] | m[2] | m[3] | m[4] | m[5])
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
			 m[4], m[5]);
	json_object(j, NULL);
	json_text(j, "service", b->service);
	json_text(j, "name", b->name);
	json_address(j, "address", &b->addr);
	json_number(j, "port", b->port);
	json_text(j, "forward", words_forward(b->forward));
	json_text(j, "state", words_state(b));
	json_number(j, "weight", b->weight);
	json_number(j, "configured_weight", b->configured_weight);
	json_bool(j, "drained", b->admin == VIEW_ADMIN_DRAINED);
	json_bool(j, "disabled", b->admin == VIEW_ADMIN_DISABLED);
	json_bool(j, "edited", b->edited);
	json_number(j, "edit_age_ms", b->admin_age_ms);
	json_text_or_null(j, "edited_by", b->admin_by);
	json_text_or_null(j, "edit_reason", b->admin_reason);
	json_text(j, "health", words_health(b->health));
	json_number(j, "health_age_ms", b->health_age_ms);
	json_text_or_null(j, "check", b->check);
	json_text_or_null(j, "code", b->code);
	json_text_or_null(j, "reason", b->reason);
	json_number(j, "latency_us", b->latency_us);
	words_json_passive(j, b);
	json_text(j, "next_hop", words_nexthop(b->nexthop));
	json_text_or_null(j, "mac", mac);
	json_text_or_null(j, "egress", b->egress);
	json_number(j, "slots", b->slots);
	words_json_traffic(j, &b->traffic);
	json_pool(j, b);
	json_object_end(j);
}

/* ---- upgrades ---------------------------------------------------------------------------------*/

static const char *words_upgrade_state(enum shunt_upgrade s)
{
	static const char *const names[] = {
		[SHUNT_UPGRADE_NONE] = "none",
		[SHUNT_UPGRADE_WATCHED] = "watched",
		[SHUNT_UPGRADE_KEPT] = "kept",
		[SHUNT_UPGRADE_ONE_WAY] = "one_way",
		[SHUNT_UPGRADE_REFUSED] = "refused",
		[SHUNT_UPGRADE_FELL_BACK] = "fell_back",
		[SHUNT_UPGRADE_ROLLED_BACK] = "rolled_back",
	};

	return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "?";
}

static void upgrade_sentence(FILE *out, const struct view_upgrade *u)
{
	switch (u->state) {
	case SHUNT_UPGRADE_WATCHED:
		fprintf(out,
			"watched for %s more: %" PRIu64 " of %" PRIu64
			" packets ended with an error of its own\n"
			"          (shunt upgrade --rollback puts the former one back)\n",
			units_age(u->left_ms).text, u->errors, u->packets);
		break;
	case SHUNT_UPGRADE_KEPT:
		fputs("kept: the time for going back to the former one is over\n", out);
		break;
	case SHUNT_UPGRADE_ONE_WAY:
		fprintf(out, "no way back to the former one: %s\n", u->why);
		break;
	case SHUNT_UPGRADE_REFUSED:
		fprintf(out, "the former one stays, as this version's would not do the same: %s\n",
			u->why);
		break;
	case SHUNT_UPGRADE_FELL_BACK:
		fprintf(out, "the former one was put back, as this version's had errors: %s\n",
			u->why);
		break;
	case SHUNT_UPGRADE_ROLLED_BACK:
		fprintf(out, "the former one was put back by hand: %s\n", u->why);
		break;
	default:
		break;
	}
}

void words_upgrade(FILE *out, const struct view_upgrade *u)
{
	if (!u->program)
		return;
	fprintf(out, "program   %" PRIu32 ", for %s\n", u->program,
		units_long_age(u->program_age_ms).text);
	if (u->compared)
		fprintf(out,
			"          compared with the former one by %" PRIu32 " packets for %" PRIu32
			" services\n",
			u->compared, u->asked);
	if (u->state != SHUNT_UPGRADE_NONE)
		fputs("          ", out);
	upgrade_sentence(out, u);
	if (u->failed[0])
		fprintf(out, "          the last upgrade failed: %s\n", u->failed);
}

void words_json_upgrade(struct json *j, const struct view_upgrade *u)
{
	json_object(j, "upgrade");
	json_number(j, "program", u->program);
	json_number(j, "program_age_ms", u->program_age_ms);
	json_text(j, "state", words_upgrade_state(u->state));
	json_text_or_null(j, "why", u->why);
	json_number(j, "left_ms", u->left_ms);
	json_number(j, "packets", u->packets);
	json_number(j, "errors", u->errors);
	json_text_or_null(j, "from", u->from);
	json_text_or_null(j, "failed", u->failed);
	json_number(j, "asked", u->asked);
	json_number(j, "compared", u->compared);
	json_object_end(j);
}
