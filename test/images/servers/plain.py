# Python's own server, which dies on TERM; "fork" has a child of this process bind, and one of that for each connection.
import http.server
import os
import signal
import socketserver
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(2)
        body = os.environ["KEY"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Forking(socketserver.ForkingMixIn, http.server.HTTPServer):
    request_queue_size = 128
    max_children = 1000


if sys.argv[1:] != ["fork"]:
    http.server.ThreadingHTTPServer.request_queue_size = 128
    http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()

child = os.fork()
if child:
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    os.waitpid(child, 0)
    sys.exit()


def stop(*_):
    raise KeyboardInterrupt


server = Forking(("0.0.0.0", 8000), Handler)
signal.signal(signal.SIGTERM, stop)
try:
    server.serve_forever()
except KeyboardInterrupt:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.server_close()  # waits for the children
