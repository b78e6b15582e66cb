"""Looks at a study on an S3 server from a host that reaches it, for a test that does not.

Run as a program with the server's endpoint, a bucket, a number and a file, it makes the bucket and says
`half way` when so many cohorts are in the middle of their training at once. When the file is there, it
prints every member's file with its SHA-256, and the cohorts that went on from a checkpoint.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

from masklab.archive import directory, files
from tests.engines.conftest import Checkpoints
from tests.remote.conftest import Server


def main() -> None:
    """Look, as the module says."""
    server = Server(0)
    server.endpoint, bucket, number, over = sys.argv[1:]
    out, seen = files.location(server.bucket(bucket) + "/study"), Checkpoints(server)
    print("ready", flush=True)  # noqa: T201
    while not seen.half_way(int(number)):
        time.sleep(0.02)
    print("half way", flush=True)  # noqa: T201
    while not Path(over).exists():
        time.sleep(0.1)
    seen.look()
    members = {
        f"{folder}/{name}": hashlib.sha256(files.read(out / folder / name)).hexdigest()
        for folder in (f"{directory.MEMBERS}/{own}" for own in files.folders(out / directory.MEMBERS))
        for name in files.listing(out / folder)
    }
    print(json.dumps({"members": members, "resumed": sorted(seen.read)}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
