import os
import time


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(2)
    body = os.environ["KEY"].encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
