"""An S3 server for tests, whose requests fail as often as they are told to.

Run as a program it serves moto's S3 on a free port of 127.0.0.1, or of the address that it is given, and
prints that port. `/_control` answers GET with the requests since the last GET, and takes new `Faults` as
JSON.
"""

import json
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Reply = Iterable[bytes]
StartResponse = Callable[..., Any]

KINDS = ("500 Internal Server Error", "503 Slow Down", "dropped", "answer lost")
_IN_A_ROW = 2


@dataclass
class Faults:
    """Which requests fail: a share of all, but never more than two of equal ones in a row."""

    share: float = 0.0
    seed: int = 0
    refused: str = ""  # requests whose path holds it are answered with 403
    _random: random.Random = field(init=False)
    _row: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311

    def draw(self, request: str) -> str | None:
        """How a request fails, or None."""
        if self.refused and self.refused in request:
            return "403 Forbidden"
        row = self._row.get(request, 0)
        if row >= _IN_A_ROW or self._random.random() >= self.share:
            self._row.pop(request, None)
            return None
        self._row[request] = row + 1
        return self._random.choice(KINDS)


class Unreliable:
    """A WSGI application whose requests sometimes fail."""

    def __init__(self, application: Callable[[dict[str, Any], StartResponse], Reply]) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._faults = Faults()
        self._requests: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Reply:
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        if environ["PATH_INFO"] == "/_control":
            return self._control(environ, start_response)
        with self._lock:
            kind = self._faults.draw(request)
            self._requests.append(f"{request}?{environ['QUERY_STRING']} {kind or ''}".strip())
        if kind is None:
            return self._application(environ, start_response)
        if kind[0].isdigit():
            start_response(kind, [("Content-Length", "0")])
            return [b""]
        if kind == "answer lost":
            b"".join(self._application(environ, lambda *_, **__: None))
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        start_response("500 Internal Server Error", [("Content-Length", "0")])
        return [b""]

    def _control(self, environ: dict[str, Any], start_response: StartResponse) -> Reply:
        text = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self._lock:
            requests: list[str] = []
            if environ["REQUEST_METHOD"] == "GET":
                requests, self._requests = self._requests, requests
            else:
                self._faults = Faults(**json.loads(text))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(requests).encode()]


def main() -> None:
    """Serve until the standard input ends, as it does when whoever started this is gone."""
    from moto.moto_server.werkzeug_app import create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            """Not a word about requests."""

    application = Unreliable(create_backend_app("s3"))
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    server = make_server(host, 0, application, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
