"""The configuration: from the environment, and nowhere else. Nothing is composed here.

examples/compose/.env.schema describes each variable.
"""

import hashlib
import hmac
import os
import re

REQUIRED = (
    "DATABASE_URL",
    "DATABASE_URL_SYNC",
    "REDIS_URL",
    "JWT_SECRET_KEY",
    "ANTHROPIC_API_KEY",
    "MAPBOX_ACCESS_TOKEN",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
)
SECRETS = REQUIRED + ("JWT_SECRET_KEY_PREVIOUS", "SENTRY_DSN", "SENTRY_DSN_FRONTEND")


class Settings:
    def __init__(self, environ):
        missing = [name for name in REQUIRED if not environ.get(name)]
        if missing:
            raise SystemExit("not set: " + ", ".join(missing))
        self.environment = environ.get("APP_ENV", "development")
        self.debug = environ.get("APP_DEBUG", "false") == "true"
        self.log_level = environ.get("LOG_LEVEL", "INFO")
        self.origins = [o for o in environ.get("ALLOWED_ORIGINS", "").split(",") if o]
        self.upload_bytes = int(environ.get("MAX_UPLOAD_SIZE_MB", "100")) << 20
        self.processing_workers = int(environ.get("PROCESSING_WORKERS", "2"))

        self.database_url = libpq(environ["DATABASE_URL"])
        self.database_url_sync = libpq(environ["DATABASE_URL_SYNC"])
        self.redis_url = environ["REDIS_URL"]

        self.jwt_keys = [environ["JWT_SECRET_KEY"]]
        if environ.get("JWT_SECRET_KEY_PREVIOUS"):
            self.jwt_keys.append(environ["JWT_SECRET_KEY_PREVIOUS"])
        self.jwt_algorithm = environ.get("JWT_ALGORITHM", "HS256")
        self.jwt_minutes = int(environ.get("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "30"))

        self.generations = generations(environ)


def libpq(url):
    """SQLAlchemy's postgresql+asyncpg://... as libpq knows it."""
    return re.sub(r"^postgresql\+\w+:", "postgresql:", url)


def generations(environ):
    """Which generation of each secret this process runs with, for comparing processes: never a value.

    A salted hash cut to 32 bits. The salt belongs to the deployment and stays when secrets rotate; it is no
    password, but whoever has it can try guesses of a weak secret on a hash. Without one nothing is told.
    """
    salt = environ.get("GENERATION_SALT", "").encode()
    if not salt:
        return {}
    return {
        name: hmac.new(salt, environ[name].encode(), hashlib.sha256).hexdigest()[:8]
        for name in SECRETS
        if environ.get(name)
    }


settings = Settings(os.environ)
