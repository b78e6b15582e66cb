import importlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from masklab.archive import files, places
from masklab.errors import ConfigError


@given(st.text(st.characters(exclude_characters="~\0", codec="utf-8"), min_size=1).filter(str.strip))
def test_what_is_no_url_is_a_local_path(text: str) -> None:
    if "://" not in text.lstrip(":"):
        assert files.location(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("runs/x/", "runs/x"),
        ("./a://b", "a:/b"),
        ("://a", ":/a"),
        ("file:///a/b", "/a/b"),
        ("file://localhost/a%20b", "/a b"),
        ("FILE:///a?b#c", "/a?b#c"),
        ("local:///a", "/a"),
    ],
)
def test_local_places(text: str, path: str) -> None:
    found = files.location(text)
    assert isinstance(found, Path)
    assert not files.is_remote(found)
    assert str(found) == path


def test_the_home_directory_is_known_by_its_sign(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.location("~/runs") == tmp_path / "runs"
    with pytest.raises(ConfigError, match="~nobody-of-this-name/x: the home directory is not known"):
        files.location("~nobody-of-this-name/x")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("s3://bucket/a b#c?d", "s3://bucket/a b#c?d"),
        ("S3://bucket/a", "s3://bucket/a"),
        ("memory://a/b", "memory://a/b"),
        ("memory:///a/b", "memory://a/b"),
    ],
)
def test_remote_places(text: str, shown: str) -> None:
    found = files.location(text)
    assert files.is_remote(found)
    assert str(found) == shown
    assert str(found / "x") == f"{shown}/x"
    assert files.location(found) is found
    again = pickle.loads(pickle.dumps(found))  # noqa: S301  as it travels to workers
    assert again == found
    assert again / "x" == found / "x"


def test_paths_and_local_urls_of_others_are_local() -> None:
    assert files.location(Path("a")) == Path("a")
    assert files.location(UPath("file:///a/b")) == Path("/a/b")
    assert isinstance(files.location(UPath("/a/b")), Path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the name of a place is empty"),
        (" \n", "the name of a place is empty"),
        ("s3://", "s3:// names no place; a URL looks like s3://bucket/folder"),
        ("memory:///", "memory:/// names no place"),
        ("s3:///a", "s3:///a cannot be used: .*bucket"),
        ("sftpp://a/b", r"sftpp://a/b: unknown protocol 'sftpp' \(did you mean 'sftp'\?\); known: abfs, "),
        ("oss://a/b", "oss://a/b cannot be opened here: .*ossfs"),
        ("file://a/b", "file://a/b is not a local path; a URL of one is file:///absolute/path"),
        ("file://a", "file://a is not a local path"),
        ("simplecache::s3://a/b", "simplecache::s3://a/b is a chain of URLs"),
        ("s3://me:sec/ret@bucket/a", "^s3://bucket/a was given with a password"),
        ("s3://secret@bucket/a", "^s3://bucket/a was given with a password"),
        ("webdav://me:secret@host/a", "^webdav://host/a cannot be "),
        ("https://host/a.pth?X-Amz-Signature=sec/ret", "^https://host/a.pth was given with .* or query"),
        ("https://host/a b.pth?sig=secret", "^https://host/a b.pth was given"),
        ("https://host/a.pth#secret", "^https://host/a.pth was given"),
        ("https://secret@host/a/b", "^https://host/a/b was given"),
        ("https://host:80/a?to=b@c&sig=secret", "^https://… was given"),
        ("ftp://me:12/secret@host/a", "^ftp://host/a was given"),
        ("ftp://me:sec#ret@host/a", "^ftp://host/a was given"),
        ("ftp://me:sec?ret@host/a", "^ftp://… was given"),
        ("ftp://host/a?secret", "^ftp://host/a was given"),
        ("ftp://host/a,ftp://secret@host/a", "^ftp://host/a,ftp://host/a was given"),
        ("abfs://box@account.net/a?sig=secret", "^abfs://box@account.net/a cannot be opened"),
        ("file://me:secret@host/a", "^file://host/a is not a local path"),
        ("simplecache::https://secret@host/a", "^simplecache::https://host/a is a chain"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        files.location(text)
    assert "\n" not in str(caught.value)
    assert "sec" not in str(caught.value)


def test_a_place_of_others_that_shows_a_secret_is_refused() -> None:
    for url in ("https://host/a?sig=secret", "https://secret@host/a"):
        with pytest.raises(ConfigError, match=r"^https://host/a was given with a password"):
            files.location(UPath(url))


@pytest.mark.parametrize("user", ["me", "me:word"])
def test_a_user_that_fsspec_keeps_apart_is_not_shown(user: str) -> None:
    found = files.location(f"ftp://{user}@host:21/a")
    assert str(found) == "ftp:///a"
    assert getattr(found, "storage_options")["username"] == "me"  # noqa: B009  a Path has none


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://host/runs/model.pth?X-Amz-Credential=me/s3&X-Amz-Signature=secret.", "model.pth"),
        ("https://host/model.pth#a/b", "model.pth"),
        ("https://host/runs/", "runs"),
        ("memory://a/b?c#d", "b?c#d"),
    ],
)
def test_a_file_name_has_no_query(url: str, name: str) -> None:
    assert places.file_name(UPath(url)) == name


def test_a_local_file_name_is_whole() -> None:
    assert places.file_name(Path("/a/b?c=d#e@f")) == "b?c=d#e@f"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, "s3", raising=False)
    with pytest.raises(ConfigError, match=r"it needs s3fs: pip install 'masklab\[s3\]'"):
        files.location("s3://bucket/a")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a b", "a b"),
        ("ftp://me:secret@host:21/a, then sftp://me:se/cr@et@host", "ftp://host:21/a, then sftp://host"),
        ("abfs://container@account.dfs.core.windows.net/a", None),
        ("s3://bucket/a:b@c", None),
        ("s3://bucket/a?b#c", None),
        ("memory://a:b/c@d?e", None),
        ("file:///a?b=c", None),
        ("https://host:9000/a.pth", None),
        ("https://host/a@b", None),
        ("me:secret@host", None),
        ("sftp://me:123/45@host/a", "sftp://host/a"),
        ("--out=https://token@host/a?b=c", "--out=https://host/a"),
        ("url='https://host/a?b=c/d&e=f', (status)", "url='https://host/a', (status)"),
        ("https://host/a?next=https://token@other/b&sig=secret: gone", "https://host/a: gone"),
        ("az://box/a?sv=1&sig=secret", "az://box/a"),
        ("abfs://box:key@account.net/a", "abfs://account.net/a"),
        ("HTTPS://host/a#token", "HTTPS://host/a"),
        ("ftp://a/b,ftp://me:secret@c/d", "ftp://a/b,ftp://c/d"),
        ("ftp://me:se?cret@host/a", "ftp://…"),
    ],
)
def test_secrets_are_taken_out(text: str, clean: str | None) -> None:
    assert places.without_secrets(text) == (text if clean is None else clean)


def test_nothing_remote_is_imported_for_local_places(tmp_path: Path) -> None:
    code = (
        "import sys; import masklab; from masklab.archive import files; from masklab import stages;"
        "place = files.location(sys.argv[1]); files.write_json(place / 'a' / 'b.json', []);"
        "files.read_json(place / 'a' / 'b.json'); files.listing(place); files.sweep_temporaries(place);"
        "print(sorted({'fsspec', 'upath', 's3fs'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
