"""For --verify: exit status 0 when PostgreSQL and Redis take the secrets that the environment has."""

import sys

import psycopg
import redis

from settings import settings


def problems():
    try:
        with psycopg.connect(settings.database_url, connect_timeout=3) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as problem:
        yield f"PostgreSQL: {problem}".strip()
    try:
        redis.Redis.from_url(settings.redis_url, socket_timeout=3, socket_connect_timeout=3).ping()
    except redis.RedisError as problem:
        yield f"Redis: {problem}"


if __name__ == "__main__":
    found = list(problems())
    if found:
        sys.exit("\n".join(found))
