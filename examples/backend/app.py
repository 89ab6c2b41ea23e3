"""The API: tokens, jobs, and /health, which says which generation of each secret answers."""

import logging

import psycopg
import redis
from flask import Flask, g, jsonify, request

import tokens
from database import Database
from settings import settings

logging.basicConfig(level=settings.log_level)

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = settings.upload_bytes
database = Database(settings.database_url)
cache = redis.Redis.from_url(
    settings.redis_url, decode_responses=True, socket_timeout=3, socket_connect_timeout=3
)


@app.get("/live")
def live():
    """For a liveness probe: a database that is away is no reason to restart this process."""
    return jsonify(status="ok")


@app.get("/health")
def health():
    checks, workers = {}, {}
    try:
        database.query("SELECT 1")
        checks["postgres"] = "ok"
    except psycopg.Error as problem:
        checks["postgres"] = type(problem).__name__
    try:
        for key in cache.scan_iter("worker:*"):
            workers[key.removeprefix("worker:")] = cache.hgetall(key)
        checks["redis"] = "ok"
    except redis.RedisError as problem:
        checks["redis"] = type(problem).__name__
    healthy = all(check == "ok" for check in checks.values())
    body = {
        "status": "ok" if healthy else "unhealthy",
        "environment": settings.environment,
        "checks": checks,
        "generations": settings.generations,
        "workers": workers,
    }
    return jsonify(body), 200 if healthy else 503


@app.post("/token")
def token():
    """A stand-in for a login: whoever asks gets a token."""
    name = request.get_json(force=True).get("user", "")
    if not name:
        return jsonify(error="user is missing"), 400
    return jsonify(access_token=tokens.sign(name), token_type="bearer")


@app.before_request
def authenticate():
    if not request.path.startswith("/jobs"):
        return None
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    g.user = tokens.subject(credential) if scheme.lower() == "bearer" else None
    if g.user is None:
        return jsonify(error="no valid token"), 401
    return None


@app.post("/jobs")
def add_job():
    payload = request.get_json(force=True).get("payload", "")
    row = database.query(
        "INSERT INTO jobs (owner, payload) VALUES (%s, %s) RETURNING id, state", (g.user, payload)
    )[0]
    # Only wakes a worker up: the job is in the table.
    cache.lpush("jobs:wake", row["id"])
    cache.ltrim("jobs:wake", 0, 999)
    return jsonify(row), 201


@app.get("/jobs/<int:number>")
def show_job(number):
    rows = database.query(
        "SELECT id, state FROM jobs WHERE id = %s AND owner = %s", (number, g.user)
    )
    if not rows:
        return jsonify(error="no such job"), 404
    return jsonify(rows[0])


@app.after_request
def allow_origin(response):
    origin = request.headers.get("Origin")
    if origin in settings.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.vary.add("Origin")
    return response


@app.errorhandler(psycopg.OperationalError)
@app.errorhandler(redis.RedisError)
def unavailable(problem):
    """Worth a retry. Its class is told to the client, its text only to the log: it names users and hosts."""
    app.logger.warning("%s: %s", type(problem).__name__, problem)
    return jsonify(error=type(problem).__name__), 503
