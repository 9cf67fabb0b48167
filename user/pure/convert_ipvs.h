/* SPDX-License-Identifier: BSD-2-Clause */
/* What both spellings of IPVS share. */
#ifndef SHUNT_CONVERT_IPVS_H
#define SHUNT_CONVERT_IPVS_H

#include "pure/convert.h"

/* A remark on a service for a mark, whose number it takes. */
#define CONVERT_FWMARK                                                                             \
	"fwmark %s: shunt looks at addresses and ports itself: write a service for what the rule " \
	"with that mark says (iptables -t mangle -S, nft list ruleset): vip: may be a prefix, "    \
	"port: a list, a range or any"

/* The scheduler that is most like IPVS's @name; remarks where that is not the same. */
const char *convert_ipvs_scheduler(struct convert *c, unsigned int line, const char *name);
/* A flag of the scheduler, "sh-port". */
void convert_ipvs_flag(struct convert *c, unsigned int line, const char *flag,
		       struct convert_service *s);
/* The port that a gue tunnel goes to. */
void convert_ipvs_gue_port(struct convert *c, unsigned int line, const char *port);

#endif
