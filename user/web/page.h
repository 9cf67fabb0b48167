/* SPDX-License-Identifier: BSD-2-Clause */
/* What browsers get, as user/web/page has it. */
#ifndef SHUNT_PAGE_H
#define SHUNT_PAGE_H

struct page_file {
	const char *path, *type;
	const char *begin, *end;
};

/* By its path, "/page.js"; NULL: there is none. */
const struct page_file *page_find(const char *path);

#endif
