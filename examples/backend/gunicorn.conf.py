"""gunicorn reads this file by itself."""

from database import migrate
from settings import settings

bind = "0.0.0.0:8000"
workers = settings.processing_workers
threads = 4
# Requests under way are finished before a restart; less than secret-entrypoint's --stop-timeout of 10 s.
graceful_timeout = 8
# Works with a read-only root file system.
worker_tmp_dir = "/dev/shm"


def on_starting(server):
    migrate(settings.database_url)
