import base64
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab.errors import ArchiveError
from masklab.report import payload

DOCUMENTS = st.dictionaries(
    st.text(), st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))
)


@given(DOCUMENTS)
def test_what_was_packed_is_unpacked(document: dict[str, object]) -> None:
    assert payload.unpack(payload.pack(document).encode(), "page") == document


def test_equal_content_gives_equal_text_and_no_markup() -> None:
    first = payload.pack({"b": ["</script>"], "a": 1})
    assert first == payload.pack({"a": 1, "b": ["</script>"]})
    assert not set(first) & set("<>&\"'")
    assert json.loads(gzip.decompress(base64.b64decode(first))) == {"a": 1, "b": ["</script>"]}


def test_a_name_that_is_no_utf8_is_carried() -> None:
    assert payload.unpack(payload.pack({"name": "\udc80"}).encode(), "page") == {"name": "\udc80"}


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        payload.pack({"a": float("nan")})


WHOLE = payload.pack({"a": list(range(100))})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        WHOLE[:-8],
        WHOLE[:20],
        "AAAA" + WHOLE[4:],
        base64.b64encode(gzip.compress(b"{", mtime=0)).decode(),
    ],
)
def test_damage_is_one_line_that_names_the_page(text: str) -> None:
    with pytest.raises(ArchiveError, match=r"^page\.html: what the page carries"):
        payload.unpack(text.encode(), "page.html")


def test_a_trap_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "_MOST_UNPACKED", 1000)
    assert payload.unpack(payload.pack({"a": "b" * 900}).encode(), "page.html") == {"a": "b" * 900}
    with pytest.raises(ArchiveError, match="larger than"):
        payload.unpack(payload.pack({"a": "b" * 1000}).encode(), "page.html")
