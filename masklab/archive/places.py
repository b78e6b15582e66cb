"""Where a study may lie: in a local folder, or at a URL that fsspec opens."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Union
from urllib.parse import unquote

from masklab import errors
from masklab.errors import ConfigError

if TYPE_CHECKING:
    import upath

Location = Union[Path, "upath.UPath"]
"""A local path, or a remote one with the same interface; upath is imported only where there is one."""

_LOCAL = ("file", "local")

_PROTOCOLS = ("abfs", "ftp", "gs", "hdfs", "memory", "s3", "sftp", "smb", "webhdfs")
"""What a message names; whatever else fsspec knows is opened too."""

_SECRET = re.compile(r"(?<=://)[^/@:\s]*:(?!\d+/)\S*@")
"""User and password; what stands after the colon of a host is a number."""


def location(text: "str | Location") -> Location:
    """The place that a user names: plain paths and `file://` URLs are local, other URLs remote.

    Raises:
        ConfigError: The text is empty, a URL names no place or shows a password, or its protocol is unknown
            or needs a package that is not installed.

    Examples:
        >>> location("runs/first"), location("file:///tmp/a%20b")
        (PosixPath('runs/first'), PosixPath('/tmp/a b'))
        >>> str(location("s3://bucket/runs/") / "study.json")
        's3://bucket/runs/study.json'
    """
    if isinstance(text, Path):
        return text
    if not isinstance(text, str):
        return Path(text.path) if text.protocol in ("", *_LOCAL) else text
    if not text.strip():
        raise ConfigError("the name of a place is empty; give a path, or a URL such as s3://bucket/folder")
    protocol, url, rest = text.partition("://")
    if not url or not protocol or "/" in protocol:
        return _at_home(text)
    protocol = protocol.lower()
    return _of_file(text, rest) if protocol in _LOCAL else _remote(text, protocol, rest)


def without_secrets(text: str) -> str:
    """A text whose URLs have lost user and password.

    Examples:
        >>> without_secrets("cannot reach sftp://me:secret@host/runs")
        'cannot reach sftp://host/runs'
    """
    return _SECRET.sub("", text)


def _at_home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text}: the home directory is not known; give the whole path") from error


def _of_file(text: str, rest: str) -> Path:
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise ConfigError(f"{text} is not a local path; a URL of one is file:///absolute/path")
    return Path("/" + unquote(path))


def _remote(text: str, protocol: str, rest: str) -> Location:
    shown = without_secrets(text)
    if "::" in protocol:
        raise ConfigError(f"{shown} is a chain of URLs; give the URL of one place")
    if not rest.strip("/"):
        raise ConfigError(f"{shown} names no place; a URL looks like s3://bucket/folder")
    _check_protocol(shown, protocol)
    from upath import UPath

    try:
        place = UPath(f"{protocol}://{rest.rstrip('/')}")
        visible = str(place / "any")  # a store's URL without its bucket fails here
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{shown} cannot be used: {without_secrets(str(error))}") from error
    if _SECRET.search(visible):
        raise ConfigError(
            f"{shown} was given with a password, which files and messages would show; put it into fsspec's "
            "configuration or the environment"
        )
    return place


def _check_protocol(shown: str, protocol: str) -> None:
    from fsspec import get_filesystem_class

    try:
        get_filesystem_class(protocol)
    except ValueError as error:
        raise ConfigError(f"{shown}: {errors.unknown('protocol', protocol, _PROTOCOLS)}") from error
    except ImportError as error:
        needed = "it needs s3fs: pip install 'masklab[s3]'" if protocol in ("s3", "s3a") else str(error)
        raise ConfigError(f"{shown} cannot be opened here: {needed}") from error
