/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of user/web/page, put into the executable as they are. */
#include "web/page.h"

#include <stddef.h>
#include <string.h>

/* GNU as and clang's both take in whole files. */
#define FILE_AS(name, path)                                                                        \
	__asm__(".section .rodata\n"                                                               \
		".global page_" #name "\n"                                                         \
		".global page_" #name "_end\n"                                                     \
		"page_" #name ":\n"                                                                \
		".incbin \"user/web/page/" path "\"\n"                                             \
		"page_" #name "_end:\n"                                                            \
		".previous\n");                                                                    \
	extern const char page_##name[], page_##name##_end[]

FILE_AS(html, "index.html");
FILE_AS(css, "page.css");
FILE_AS(js, "page.js");
FILE_AS(graphs, "graphs.js");
FILE_AS(icon, "icon.svg");

static const struct page_file files[] = {
	{"/", "text/html; charset=utf-8", page_html, page_html_end},
	{"/page.css", "text/css; charset=utf-8", page_css, page_css_end},
	{"/page.js", "text/javascript; charset=utf-8", page_js, page_js_end},
	{"/graphs.js", "text/javascript; charset=utf-8", page_graphs, page_graphs_end},
	{"/icon.svg", "image/svg+xml", page_icon, page_icon_end},
};

const struct page_file *page_find(const char *path)
{
	for (size_t i = 0; path && i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(path, files[i].path) == 0)
			return &files[i];
	return NULL;
}
