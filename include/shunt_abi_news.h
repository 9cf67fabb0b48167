/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of shunt_abi.h about what the packet path tells other balancers, through the daemon. */
#ifndef SHUNT_ABI_NEWS_H
#define SHUNT_ABI_NEWS_H

#include <linux/types.h>

/* What each CPU has written since the program was loaded, or the last SHUNT_NEWS of it: flows that have
 * just been confirmed, for the daemon to tell other balancers of, to which a router may move the flow.
 * Only where settings.news says so. An entry is written before `written` counts it; a reader takes
 * those that have not been written over by the time that it has them. */
#define SHUNT_NEWS 2048u
struct shunt_new {
	__u64 hash; /* that the flow is remembered by */
	__u32 salt; /* its service's */
	__u16 number; /* of the backend */
	__u16 slot; /* of the service */
};
struct shunt_news {
	__u64 written;
	__u64 pad[7];
	struct shunt_new entry[SHUNT_NEWS]; /* number n at n % SHUNT_NEWS */
};

#ifndef __cplusplus
_Static_assert(sizeof(struct shunt_new) == 16, "two words");
#endif

#endif /* SHUNT_ABI_NEWS_H */
