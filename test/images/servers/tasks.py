# Tasks of Celery, with a Redis at 6379. As a program it sends some, and says how many were done with which secret.
import collections
import os
import sys
import time

import celery

app = celery.Celery("tasks", broker="redis://127.0.0.1", backend="redis://127.0.0.1")


@app.task
def generation(seconds):
    time.sleep(seconds)
    return os.environ["KEY"].rpartition("-")[2]


if __name__ == "__main__":
    results = []
    for _ in range(int(sys.argv[1])):
        results.append(app.send_task("tasks.generation", [1]))
        time.sleep(0.3)
    done = collections.Counter(result.get(timeout=100) for result in results)
    print(*(f"{generation}:{times}" for generation, times in sorted(done.items())))
