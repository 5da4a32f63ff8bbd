# SPDX-License-Identifier: BSD-2-Clause
"""The store on SQLite, PostgreSQL and CockroachDB."""
