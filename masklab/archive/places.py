"""Where a study may lie: in a local folder, or at a URL that fsspec opens."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Union
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

_WITHOUT_QUERY = ("file", "local", "memory", "s3", "s3a", "gs", "gcs")
"""Protocols to which a question mark is a character of a name as any other."""

_CONTAINER_FIRST = ("abfs", "abfss", "az")
"""Protocols that write `container@account` where others write `user@host`."""

_URL = re.compile(r"(?<![\w+.-])([\w+.-]*)://(\S+)")

_CLOSING = ")]}>'\",;.:"
"""What may follow a URL in a message."""


def location(text: "str | Location") -> Location:
    """The place that a user names: plain paths and `file://` URLs are local, other URLs remote.

    Raises:
        ConfigError: The text is empty, a URL names no place or would show a secret, or its protocol is
            unknown or needs a package that is not installed.

    Examples:
        >>> location("runs/first"), location("file:///tmp/a%20b")
        (PosixPath('runs/first'), PosixPath('/tmp/a b'))
        >>> str(location("s3://bucket/runs/") / "study.json")
        's3://bucket/runs/study.json'
    """
    if isinstance(text, Path):
        return text
    if not isinstance(text, str):
        if text.protocol in ("", *_LOCAL):
            return Path(text.path)
        return _checked(text)
    if not text.strip():
        raise ConfigError("the name of a place is empty; give a path, or a URL such as s3://bucket/folder")
    protocol, url, rest = text.partition("://")
    if not url or not protocol or "/" in protocol:
        return _at_home(text)
    protocol = protocol.lower()
    return _of_file(text, rest) if protocol in _LOCAL else _remote(protocol, rest)


def without_secrets(text: str) -> str:
    """A text whose URLs have lost user, password and query: any of them may be a key.

    Examples:
        >>> without_secrets("cannot reach sftp://me:secret@host/runs")
        'cannot reach sftp://host/runs'
        >>> without_secrets("'https://host/a.pth?Signature=secret' is gone")
        "'https://host/a.pth' is gone"
    """
    return _URL.sub(_without_secrets, text)


def _without_secrets(url: "re.Match[str]") -> str:
    protocol, rest = url.groups()
    own = rest.rstrip(_CLOSING)
    return f"{protocol}://{_bare(protocol.lower(), own)}{rest[len(own) :]}"


def file_name(place: Location) -> str:
    """Name of a file or folder, without its folders and without the query of a URL."""
    if isinstance(place, Path):
        return place.name
    return _bare(place.protocol, str(place).partition("://")[2]).rstrip("/").rpartition("/")[2]


def _bare(protocol: str, rest: str) -> str:
    """What may be shown of a URL after its `://`.

    A user ends at the last `@` where a `:` stands in front: a password may hold `/` and `@`, so that a host
    with a port and `@` in its path cannot be told from one.
    """
    head = rest
    if protocol not in _WITHOUT_QUERY:
        head = re.split("[?#]" if protocol in ("http", "https") else r"\?", rest, maxsplit=1)[0]
    authority = head.partition("/")[0]
    if "@" in rest[len(head) :] and (":" in authority or authority == head):
        return "…"  # a password with a question mark, or a query with an address
    if ":" in authority and protocol != "memory":
        head = head.rpartition("@")[2]
    elif protocol not in ("memory", *_CONTAINER_FIRST):
        head = authority.rpartition("@")[2] + head[len(authority) :]
    return without_secrets(head)  # a path may hold another URL


def _refuse(shown: str) -> NoReturn:
    raise ConfigError(
        f"{shown} was given with a password, token or query, which files and messages would show; put "
        "credentials into fsspec's configuration or the environment, and copy what only a signed URL gives"
    )


def _at_home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text}: the home directory is not known; give the whole path") from error


def _of_file(text: str, rest: str) -> Path:
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost") or not slash:
        raise ConfigError(
            f"{without_secrets(text)} is not a local path; a URL of one is file:///absolute/path"
        )
    return Path("/" + unquote(path))


def _remote(protocol: str, rest: str) -> Location:
    bare = _bare(protocol.rpartition("::")[2], rest)
    shown = f"{protocol}://{bare}"
    if "::" in protocol:
        raise ConfigError(f"{shown} is a chain of URLs; give the URL of one place")
    if not rest.strip("/"):
        raise ConfigError(f"{shown} names no place; a URL looks like s3://bucket/folder")
    _check_protocol(shown, protocol)
    if set("/?#") & set(rest.removesuffix(bare)):
        _refuse(shown)  # fsspec would take a part of it for host, port or path, and show that
    from upath import UPath

    try:
        place = UPath(f"{protocol}://{rest.rstrip('/')}")
        str(place / "any")  # a store's URL without its bucket fails here
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{shown} cannot be used: {without_secrets(str(error))}") from error
    return _checked(place)


def _checked(place: "upath.UPath") -> "upath.UPath":
    """A place that shows all of its URL; users that fsspec keeps apart are not in it."""
    rest = str(place).partition("://")[2]
    bare = _bare(place.protocol, rest)
    if bare != rest:
        _refuse(f"{place.protocol}://{bare}")
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
