"""gunicorn reads this file by itself."""

from database import migrate
from settings import settings

bind = "0.0.0.0:8000"
workers = settings.processing_workers
threads = 4
# Requests under way are finished when gunicorn is stopped. Less than secret-entrypoint's --stop-timeout, so that
# the master has the time to end its workers by itself.
graceful_timeout = 8
# Works with a read-only root file system.
worker_tmp_dir = "/dev/shm"


def on_starting(server):
    migrate(settings.database_url)
