#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every kind of check that can go a client's way, on that way.
VIA=auto exec bash "${0%/*}/checks.sh"
