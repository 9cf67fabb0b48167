/* SPDX-License-Identifier: BSD-2-Clause */
/* Ownership in the declaration: a tagged local is released when it leaves scope. A tagged local is
 * always initialised, since its destructor always runs. */
#ifndef SHUNT_OWN_H
#define SHUNT_OWN_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void own_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void own_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void own_free(void *p)
{
	free(*(void **)p);
}

#define auto_close __attribute__((cleanup(own_close)))
#define auto_fclose __attribute__((cleanup(own_fclose)))
#define auto_free __attribute__((cleanup(own_free)))

/* Hands ownership of a tagged descriptor on: returns it and leaves -1, which is not closed. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* The same for a tagged pointer: returns it and leaves NULL. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

#endif
