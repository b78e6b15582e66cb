"""What the page carries for its script alone: compressed, inert, and the same bytes for the same content."""

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any

from masklab.archive import files
from masklab.errors import ArchiveError

_LEVEL = 9
_MOST_UNPACKED = 512 * 2**20  # of what a page carries; more is a trap


def pack(document: Mapping[str, Any]) -> str:
    """A JSON document as gzip in base64; without a date or a file name, so equal content gives equal text.

    Args:
        document: JSON-able, finite numbers only.
    """
    # names may hold lone surrogates: JSON has an escape for them, UTF-8 has not
    return compress(files.canonical_json(document).encode(errors="backslashreplace"))


def compress(content: bytes) -> str:
    """Bytes as gzip in base64.

    Examples:
        >>> gzip.decompress(base64.b64decode(compress(b"masks")))
        b'masks'
    """
    return base64.b64encode(gzip.compress(content, _LEVEL, mtime=0)).decode()


def unpack(text: bytes, where: object) -> Any:
    """The document that `pack` wrote.

    Args:
        text: What stands in the page.
        where: Name of the page, for the message.

    Raises:
        ArchiveError: It is damaged, or larger than a page can honestly hold.
    """
    try:
        stream = zlib.decompressobj(wbits=31)
        content = stream.decompress(base64.b64decode(text.strip(), validate=True), _MOST_UNPACKED)
        if not stream.eof:
            raise ArchiveError(
                f"{where}: what the page carries is cut off, or larger than {_MOST_UNPACKED / 2**20:,.0f} MB"
            )
        return json.loads(content)
    except (ValueError, zlib.error, RecursionError) as error:
        raise ArchiveError(f"{where}: what the page carries is damaged: {error}") from error
