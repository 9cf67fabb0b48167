/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses that cannot be two things at once: a vip and a backend, a pool's or a tunnel's source. */
#include <stdio.h>
#include <string.h>

#include "pure/conf_parts.h"
#include "pure/conf_vips.h"

/* "the vip of service "x"", or "within the vip 192.0.2.0/24 of service "x"" */
struct vip_text {
	char text[ADDR_PREFIX_TEXT_MAX + SHUNT_NAME_MAX + 64];
};

static const char *vip_format(struct vip_text *out, const struct conf_service *s)
{
	char vip[ADDR_PREFIX_TEXT_MAX];

	addr_prefix_format(&s->vip, s->vip_bits, vip);
	if (s->vip_bits == addr_bits(&s->vip))
		snprintf(out->text, sizeof(out->text), "the vip of service \"%s\"", s->name);
	else
		snprintf(out->text, sizeof(out->text), "within the vip %s of service \"%s\"", vip,
			 s->name);
	return out->text;
}
#define VIP_TEXT(s) vip_format(&(struct vip_text){{0}}, s)

/* What leaves for it comes back, here or to the next host of the fleet. */
static int check_backends(struct conf_load *l, const struct conf_vips *v,
			  const struct conf_service *s)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct conf_backend *b = &s->backends[i];
		const struct conf_service *other;
		char text[ADDR_TEXT_MAX];

		if (b->forward == SHUNT_LOCAL)
			continue;
		other = conf_vips_meet(v, &b->addr, addr_bits(&b->addr));
		if (other)
			return conf_complain(
				l->err, &b->pos,
				"backend %s is %s, and packets for it come to this host; write the "
				"server's own address",
				addr_format(&b->addr, text), VIP_TEXT(other));
	}
	return 0;
}

/* A reply to an address that is a vip would be taken for a client's request. */
static int check_pool(struct conf_load *l, const struct conf_vips *v, const struct conf_service *s)
{
	for (size_t i = 0; i < s->nat_pool.n; i++) {
		const struct addr *a = &s->nat_pool.addrs[i];
		const struct conf_service *other = conf_vips_meet(v, a, addr_bits(a));
		char text[ADDR_TEXT_MAX];

		if (other)
			return conf_complain(
				l->err, &s->pos,
				"nat_pool of service \"%s\" holds %s, %s; replies to it would be "
				"taken for requests; take another address of this host",
				s->name, addr_format(a, text), VIP_TEXT(other));
	}
	return 0;
}

static int check_source(struct conf_load *l, const struct conf_vips *v,
			const struct conf_service *s, const struct conf_source *source)
{
	uint8_t length = (uint8_t)(addr_bits(&source->addr) - source->bits);
	char text[ADDR_PREFIX_TEXT_MAX], vip[ADDR_PREFIX_TEXT_MAX];
	const struct conf_service *other;

	if (addr_is_none(&source->addr))
		return 0;
	other = conf_vips_meet(v, &source->addr, length);
	if (!other)
		return 0;
	return conf_complain(l->err, &s->pos,
			     "tunnel source %s of service \"%s\" has addresses of the vip %s of "
			     "service \"%s\"; backends have it as well, and drop packets that come "
			     "from an address of their own; take another address of this host",
			     addr_prefix_format(&source->addr, length, text), s->name,
			     addr_prefix_format(&other->vip, other->vip_bits, vip), other->name);
}

static int check_not_backend(struct conf_load *l, const struct conf_service *s,
			     const struct conf_backend *b)
{
	const struct conf_source *source =
		b->addr.family == 6 ? &s->tunnel.source6 : &s->tunnel.source4;
	uint8_t length = (uint8_t)(addr_bits(&b->addr) - source->bits);
	char text[ADDR_TEXT_MAX], prefix[ADDR_PREFIX_TEXT_MAX];

	if (!conf_is_tunnel(b->forward) || !addr_is_within(&b->addr, &source->addr, length))
		return 0;
	return conf_complain(
		l->err, &b->pos,
		"backend %s is within the tunnel source %s of its service, and would drop packets "
		"that come from itself; take addresses of this host for the source",
		addr_format(&b->addr, text), addr_prefix_format(&source->addr, length, prefix));
}

static int check_service(struct conf_load *l, const struct conf_vips *v,
			 const struct conf_service *s, const struct conf_service *before)
{
	int rc = check_backends(l, v, s);

	/* Pools and sources are mostly those of the service before. */
	if (rc == 0 && conf_uses_pool(s) &&
	    (!before || memcmp(&before->nat_pool, &s->nat_pool, sizeof(s->nat_pool)) != 0 ||
	     !conf_uses_pool(before)))
		rc = check_pool(l, v, s);
	if (rc == 0 && (!before || memcmp(&before->tunnel, &s->tunnel, sizeof(s->tunnel)) != 0)) {
		rc = check_source(l, v, s, &s->tunnel.source4);
		if (rc == 0)
			rc = check_source(l, v, s, &s->tunnel.source6);
	}
	for (size_t i = 0; i < s->n_backends && rc == 0; i++)
		rc = check_not_backend(l, s, &s->backends[i]);
	return rc;
}

int conf_check_loops(struct conf_load *l)
{
	const struct conf_service *services = l->conf->services;
	struct conf_vips v;
	int rc = conf_vips_init(&v, l->conf);

	for (size_t i = 0; i < l->conf->n_services && rc == 0; i++)
		rc = check_service(l, &v, &services[i], i ? &services[i - 1] : NULL);
	conf_vips_fini(&v);
	return rc;
}
