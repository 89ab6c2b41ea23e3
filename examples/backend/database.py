"""PostgreSQL: a connection for each thread, made again when it is lost, and the table."""

import logging
import threading
import time

import psycopg
from psycopg.rows import dict_row

log = logging.getLogger("database")


class Database:
    def __init__(self, url):
        self._url = url
        self._local = threading.local()

    def query(self, sql, parameters=()):
        """Runs one statement, on a new connection if the old one turns out to be gone."""
        for last in (False, True):
            try:
                return self._connection().execute(sql, parameters).fetchall()
            except psycopg.OperationalError:
                self.close()
                if last:
                    raise

    def close(self):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self):
        if getattr(self._local, "connection", None) is None:
            self._local.connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=3, row_factory=dict_row
            )
        return self._local.connection


def migrate(url, seconds=30):
    """Makes the table if there is none, and waits for PostgreSQL before."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with psycopg.connect(url, connect_timeout=3) as connection:
                # Of several processes that start together one makes it.
                connection.execute("SELECT pg_advisory_xact_lock(4711)")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS jobs ("
                    " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
                    " owner text NOT NULL, payload text NOT NULL,"
                    " state text NOT NULL DEFAULT 'queued', made timestamptz NOT NULL DEFAULT now())"
                )
            return
        except psycopg.OperationalError as problem:
            if time.monotonic() > deadline:
                raise SystemExit(f"PostgreSQL: {problem}") from None
            log.warning("waiting for PostgreSQL: %s", str(problem).strip())
            time.sleep(0.5)
