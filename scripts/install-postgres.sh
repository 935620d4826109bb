#!/usr/bin/env bash
# A PostgreSQL server of 15 or later for the tests and for `make fleet`; installed with apt-get when there is none.
source "$(dirname "$0")/lib.sh"

[ -n "$(postgres_bin)" ] || apt_install postgresql
[ -n "$(postgres_bin)" ] || die "PostgreSQL 15 or later is needed; its server programs (initdb, pg_ctl) were not found"
