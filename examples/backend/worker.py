"""The worker: takes jobs from the table, woken up through Redis. A job is never lost: it stays queued until done."""

import logging
import pathlib
import signal
import socket
import time

import psycopg
import redis

from database import Database, migrate
from settings import settings

logging.basicConfig(level=settings.log_level)
log = logging.getLogger("worker")
ALIVE = f"worker:{socket.gethostname()}"
ALIVE_SECONDS = 10
# For a health check, which looks at its age. Writable with a read-only root file system, too.
ALIVE_FILE = pathlib.Path("/dev/shm/worker-alive")

# SKIP LOCKED: several workers share the table without waiting for each other.
TAKE = """
UPDATE jobs SET state = 'done' WHERE id = (
    SELECT id FROM jobs WHERE state = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1
) RETURNING id
"""


def run(cache):
    stopping = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.append(True))

    migrate(settings.database_url_sync)
    database = Database(settings.database_url_sync)
    log.info("started")
    while not stopping:
        try:
            with cache.pipeline() as pipe:
                # Also what this process has no more: a previous key that was dropped.
                pipe.delete(ALIVE)
                pipe.hset(ALIVE, mapping={"state": "running", **settings.generations})
                pipe.expire(ALIVE, ALIVE_SECONDS)
                pipe.execute()
            while not stopping:
                done = database.query(TAKE)
                ALIVE_FILE.touch()
                if not done:
                    break
                log.info("job %d is done", done[0]["id"])
            cache.brpop("jobs:wake", timeout=1)
        except (psycopg.OperationalError, redis.RedisError) as problem:
            log.warning("trying again: %s", type(problem).__name__)
            time.sleep(1)
    log.info("stopped")


def main():
    cache = redis.Redis.from_url(
        settings.redis_url, decode_responses=True, socket_timeout=3, socket_connect_timeout=3
    )
    run(cache)


if __name__ == "__main__":
    main()
