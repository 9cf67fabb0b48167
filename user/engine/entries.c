/* SPDX-License-Identifier: BSD-2-Clause */
/* What packets the configured services are for, as the dataplane wants to be told. */
#include "engine/plan.h"

#include <errno.h>

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

int plan_entries(const struct conf *conf, struct dp_service **out, size_t *n)
{
	struct dp_service *list;
	size_t room = 1, used = 0, i, k;

	for (i = 0; i < conf->n_services; i++)
		room += conf->services[i].n_ports + 1;
	list = calloc(room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (i = 0; i < conf->n_services; i++) {
		const struct conf_service *s = &conf->services[i];

		if (s->n_ports == 0)
			add_entry(&list[used++], s, (uint32_t)i, NULL);
		for (k = 0; k < s->n_ports; k++)
			add_entry(&list[used++], s, (uint32_t)i, &s->ports[k]);
	}
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
