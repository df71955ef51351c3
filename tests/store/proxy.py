"""A proxy on 127.0.0.1 that hands HTTP requests on to a server, and fails as it is told to."""

import http.client
import socket
import struct
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

XML = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>{}</Message><RequestId>x</RequestId></Error>'
ANSWERS = {
    "500": (500, "InternalError", "we encountered an internal error, please try again"),
    "503": (503, "SlowDown", "please reduce your request rate"),
    "403": (403, "AccessDenied", "access denied"),
    "404": (404, "NoSuchBucket", "the specified bucket does not exist"),
}


@dataclass
class Fault:
    """What goes wrong with some requests.

    500, 503, 403, 404: this is the answer, and the server never hears of it. reset: the connection is cut before the server
    hears of it. lost: the server does its work and its answer is cut off. truncated: half of the body comes. slow: the answer
    waits for `seconds`. stalled: half of the body comes, then nothing for `seconds`.
    """

    kind: str
    method: str = ""
    path: str = ""
    times: int = 1_000_000
    after: int = 0
    seconds: float = 0.0
    seen: int = 0
    done: int = 0

    def strikes(self, method, path):
        if (self.method and method not in self.method.split("|")) or self.path not in path:
            return False
        self.seen += 1
        if self.seen <= self.after or self.done >= self.times:
            return False
        self.done += 1
        return True


class Proxy:
    """Hands on to a port of 127.0.0.1; `log` holds the requests as (method, path with query, answer or fault)."""

    def __init__(self, upstream):
        self.upstream, self.faults, self.hooks, self.log, self.lock = upstream, [], [], [], threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (ConnectionError, BrokenPipeError):
                    self.close_connection = True

            def do(self):
                proxy.serve(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def fail(self, kind, **more):
        """From now on (some) requests fail; returns the fault, whose `done` counts them."""
        fault = Fault(kind, **more)
        with self.lock:
            self.faults.append(fault)
        return fault

    def before(self, method, path, hook):
        """From now on `hook()` is called before such requests are handed on."""
        with self.lock:
            self.hooks.append((method, path, hook))

    def heal(self):
        """Nothing fails any more, and the log begins anew."""
        with self.lock:
            self.faults, self.hooks, self.log = [], [], []

    def requests(self, method="", path=""):
        """Those of a kind so far."""
        with self.lock:
            return [one for one in self.log if (not method or one[0] == method) and path in one[1]]

    def serve(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else b""
        with self.lock:
            struck = next((fault for fault in self.faults if fault.strikes(request.command, request.path)), None)
            kind = struck.kind if struck else ""
            self.log.append((request.command, request.path, kind))
            hooks = [hook for method, path, hook in self.hooks if method == request.command and path in request.path]
        for hook in hooks:
            hook()
        if kind in ANSWERS:
            status, code, message = ANSWERS[kind]
            return self.answer(request, status, [("Content-Type", "application/xml")], XML.format(code, message).encode())
        if kind == "reset":
            return self.cut(request)
        status, headers, content = self.forward(request, body)
        if kind == "lost":
            return self.cut(request)
        if kind == "slow":
            time.sleep(struck.seconds)
        if kind in ("truncated", "stalled"):
            self.answer(request, status, headers, content, part=len(content) // 2)
            time.sleep(struck.seconds)
            return self.cut(request)
        return self.answer(request, status, headers, content)

    def forward(self, request, body):
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        upstream.request(request.command, request.path, body=body, headers=headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        return answer.status, answer.getheaders(), content

    def answer(self, request, status, headers, content, part=None):
        request.send_response_only(status)
        dropped = ("transfer-encoding", "connection", "content-length")
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        for name, value in headers:
            if name.lower() not in dropped:
                request.send_header(name, value)
        # The answer to HEAD tells the length of what GET would give.
        is_head = request.command == "HEAD"
        if status not in (204, 304):
            request.send_header("Content-Length", lengths[0] if is_head and lengths else str(len(content)))
        request.end_headers()
        if not is_head:
            request.wfile.write(content if part is None else content[:part])
        request.wfile.flush()

    def cut(self, request):
        """Ends the connection with a reset in place of a proper end."""
        request.close_connection = True
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.connection.close()
