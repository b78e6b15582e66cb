"""Looks at a study on an S3 server from a host that reaches it, for a test that does not.

Run as a program with the server's endpoint and a bucket, it makes the bucket, says `half way` when two
cohorts are in the middle of their training at once, and after a line on its standard input prints every
member's file and its SHA-256, and the cohorts that went on from a checkpoint.
"""

import hashlib
import json
import sys
import time

from masklab.archive import directory, files
from tests.engines.conftest import Checkpoints
from tests.remote.conftest import Server


def main() -> None:
    """Look, as the module says."""
    server = Server(0)
    server.endpoint, bucket = sys.argv[1:]
    out, seen = files.location(server.bucket(bucket) + "/study"), Checkpoints(server)
    print("ready", flush=True)  # noqa: T201
    while not seen.half_way(2):
        time.sleep(0.02)
    print("half way", flush=True)  # noqa: T201
    sys.stdin.readline()
    seen.look()
    members = {
        f"{folder}/{name}": hashlib.sha256(files.read(out / folder / name)).hexdigest()
        for folder in (f"{directory.MEMBERS}/{own}" for own in files.folders(out / directory.MEMBERS))
        for name in files.listing(out / folder)
    }
    print(json.dumps({"members": members, "resumed": sorted(seen.read)}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
