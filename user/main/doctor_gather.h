/* SPDX-License-Identifier: BSD-2-Clause */
/* The facts that shunt doctor judges: from the daemon, where one runs, from the configuration's file and from
 * the host. */
#ifndef SHUNT_DOCTOR_GATHER_H
#define SHUNT_DOCTOR_GATHER_H

#include "main/cli.h"
#include "pure/doctor.h"

/* @file: the configuration; NULL: the daemon's own, or the usual one. Returns 0 or -ENOMEM; @out is to be
 * freed in both cases. */
int doctor_gather(const struct cli *cli, const char *file, struct doctor_facts *out);
void doctor_facts_fini(struct doctor_facts *f);

#endif
