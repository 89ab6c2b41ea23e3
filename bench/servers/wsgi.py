# For gunicorn: it answers with the process that all its workers descend from.
import os

ANSWER = str(os.getppid()).encode()


def app(environ, start_response):
    start_response("200 OK", [("Content-Length", str(len(ANSWER)))])
    return [ANSWER]
