"""A real S3 server in a process of its own, and what a user would set to reach it."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SERVER = Path(__file__).with_name("server.py")


class Server:
    """The running server."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"

    def _ask(self, method: str, path: str, content: bytes = b"") -> bytes:
        request = urllib.request.Request(self.endpoint + path, data=content, method=method)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.read()

    def bucket(self, name: str) -> str:
        """URL of a new bucket."""
        self._ask("PUT", f"/{name}")
        return f"s3://{name}"

    def requests(self) -> list[str]:
        """Requests since the last look: method, path, query and how they failed."""
        return json.loads(self._ask("GET", "/_control"))

    @contextlib.contextmanager
    def failing(self, **faults: Any) -> Iterator[None]:
        """Let requests fail; see `server.Faults`."""
        self._ask("POST", "/_control", json.dumps(faults).encode())
        try:
            yield
        finally:
            self._ask("POST", "/_control", b"{}")


@pytest.fixture(scope="session")
def running_server() -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        yield Server(int(process.stdout.readline()))
        process.kill()


@pytest.fixture(scope="package")
def environment(running_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Endpoint and credentials as boto reads them, in this process and for those that it starts."""
    nowhere = str(tmp_path_factory.mktemp("home") / "none")
    wanted = {
        "AWS_ENDPOINT_URL": running_server.endpoint,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "something",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in wanted.items():
            patch.setenv(name, value)
        yield {**os.environ, **wanted}


@pytest.fixture(scope="package")
def server(running_server: Server, environment: dict[str, str]) -> Server:
    """The server, which clients in this process find."""
    return running_server
