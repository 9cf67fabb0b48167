/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines, one a message: to the journal with fields where it is what reads standard error, else to
 * standard error as text. Only the engine and the mains log: the floors below return codes and let their
 * caller decide. */
#ifndef SHUNT_LOG_H
#define SHUNT_LOG_H

#include <stdarg.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above @level are not written. The default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
enum log_level log_level(void);
/* Lines above @level are not written, whatever log_set_level() says then and later; LOG_LEVEL_NONE: as that
 * says again. */
#define LOG_LEVEL_NONE (-1)
void log_override(int level);
int log_overridden(void); /* LOG_LEVEL_NONE: it is not */

/* Lines go to the journal whose socket is @journal, if a journal reads standard error; where it does not
 * take them they go through standard error. Closes the one opened before. */
void log_open(const char *journal);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_vwrite(enum log_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* The same with @n texts "NAME=value" beside it, for the journal alone; without a value they are left out. */
void log_fields(enum log_level level, const char *text, const char *const fields[], size_t n);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
