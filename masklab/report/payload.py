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


def unpack(text: str, where: str) -> Any:
    """The document that `pack` wrote.

    Args:
        text: What stands in the page.
        where: Name of the page, for the message.

    Raises:
        ArchiveError: It is damaged.
    """
    try:
        return json.loads(gzip.decompress(base64.b64decode(text, validate=True)))
    except (ValueError, EOFError, OSError, zlib.error, RecursionError) as error:
        raise ArchiveError(f"{where}: what the page carries for its script is damaged: {error}") from error
