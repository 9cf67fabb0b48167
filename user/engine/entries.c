/* SPDX-License-Identifier: BSD-2-Clause */
/* What packets the configured services are for, as the dataplane wants to be told. */
#include "engine/plan.h"

#include <errno.h>
#include <netinet/in.h>

static void add_entry(struct dp_service *to, const struct conf_service *s, uint32_t number,
		      const struct conf_ports *ports)
{
	*to = (struct dp_service){
		.vip = s->vip,
		.vip_bits = s->vip_bits,
		.port = ports ? ports->from : 0,
		.port_to = ports ? ports->to : 0,
		.protocol = s->protocol,
		.svc.row = number,
	};
}

/* Tells addresses apart by rows that no service has. */
static void add_vip(struct dp_service *to, const struct vip *vip, size_t number)
{
	*to = (struct dp_service){
		.vip = vip->addr,
		.vip_bits = vip->bits,
		.protocol = vip->addr.family == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.svc.row = UINT32_MAX - (uint32_t)number,
	};
}

int plan_entries(const struct conf *conf, struct dp_service **out, size_t *n)
{
	size_t room = 1, used = 0, n_vips, i, k;
	auto_free struct vip *vips = vips_list(conf, &n_vips);
	struct dp_service *list;

	for (i = 0; i < conf->n_services; i++)
		room += conf->services[i].n_ports + 1;
	list = calloc(room + n_vips, sizeof(*list));
	if (!vips || !list) {
		free(list);
		return -ENOMEM;
	}
	for (i = 0; i < conf->n_services; i++) {
		const struct conf_service *s = &conf->services[i];

		if (s->n_ports == 0)
			add_entry(&list[used++], s, (uint32_t)i, NULL);
		for (k = 0; k < s->n_ports; k++)
			add_entry(&list[used++], s, (uint32_t)i, &s->ports[k]);
	}
	for (i = 0; i < n_vips; i++)
		add_vip(&list[used++], &vips[i], i);
	*out = list;
	*n = used;
	return 0;
}

int plan_entries_need(const struct conf *conf, struct dp_sizes *sizes)
{
	auto_free struct dp_service *list = NULL;
	size_t n = 0;
	int err = plan_entries(conf, &list, &n);

	return err ? err : dp_services_need(list, n, sizes);
}

int plan_more_entries(const struct conf *conf, struct dp_sizes *sizes)
{
	struct dp_sizes need = {0};
	int err = plan_entries_need(conf, &need);

	if (need.services > sizes->services)
		sizes->services = need.services * 2;
	if (need.spans > sizes->spans)
		sizes->spans = need.spans * 2;
	return err;
}
