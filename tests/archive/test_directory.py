import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masklab import bits
from masklab.archive import Archive, directory, files, member
from masklab.errors import ArchiveError

from . import samples

POPULATIONS = {"random-d0.5": 2, "biprop-d0.5": 11, "biprop-d0.1": 1}


def test_ids_follow_the_studys_order_and_leave_out_what_is_missing(tmp_path: Path) -> None:
    archive = samples.archive(tmp_path, POPULATIONS, missing=("random-d0.5/0000", "biprop-d0.5/0003"))
    expected = [f"biprop-d0.5/{index:04d}" for index in range(11) if index != 3]
    assert archive.ids == ["random-d0.5/0001", *expected, "biprop-d0.1/0000"]


def test_a_stock_is_one_listing_per_population(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples.archive(tmp_path, POPULATIONS, missing=("random-d0.5/0000",))
    files.write_json(directory.failure_path(tmp_path, "random-d0.5", 0), {})
    (directory.member_path(tmp_path, "random-d0.5", 2).parent / "0002.safetensors.part").touch()
    listed, listing = [], files.listing
    monkeypatch.setattr(files, "listing", lambda folder: (listed.append(folder), listing(folder))[1])
    stock = directory.Stock(tmp_path)
    for population, members in {**POPULATIONS, "nobody": 0}.items():
        for index in range(members + 2):
            lost = (population, index) == ("random-d0.5", 0)
            assert stock.member(population, index) == (index < members and not lost)
            assert stock.failure(population, index) == lost
    assert [folder.name for folder in listed] == [*POPULATIONS, "nobody"]


def test_members_is_a_table_indexed_by_id(tmp_path: Path) -> None:
    table = samples.archive(tmp_path, POPULATIONS).members
    assert table.index.name == "member"
    assert table.index.is_unique
    row = table.to_dict("index")["biprop-d0.5/0010"]
    assert (row["population"], row["index"], row["block"], row["level_scores"]) == ("biprop-d0.5", 10, 1, 10)
    assert row["accuracy"] == pytest.approx(0.6)
    kept = sum(int(mask.sum()) for mask in samples.masks(10, 0.5).values())
    assert row["kept_density"] == pytest.approx(kept / 92)
    assert table["best_epoch"].dropna().tolist() == []
    assert table["train_loss"].tolist() == [1.0] * 14


def test_the_best_epoch_is_an_integer_and_an_untrained_member_has_no_loss(tmp_path: Path) -> None:
    samples.archive(tmp_path, {"p": 2})
    best = {"epoch": 4, "validation": 0.75, "test": 0.7}
    facts: dict[str, Any] = {
        "accuracy": {"test": 0.6, "validation": 0.7, "best": best, "n_test": 10},
        "events": [1, 2],
    }
    history: dict[str, Any] = {"loss": [], "validation": []}
    member.write(directory.member_path(tmp_path, "p", 1), samples.content("p", 1, **facts, history=history))
    table = Archive(tmp_path).members
    row = table.to_dict("index")["p/0001"]
    assert (row["best_epoch"], row["best_epoch_accuracy"], row["refresh_events"]) == (4, 0.7, 2)
    assert table["best_epoch"].dtype == "Int64"
    assert np.isnan(row["train_loss"])


def test_an_empty_study_has_an_empty_table(tmp_path: Path) -> None:
    archive = samples.archive(tmp_path, {"p": 1}, missing=("p/0000",))
    assert archive.ids == []
    assert archive.members.empty
    assert archive.packed("fc").shape[0] == 0


def test_packed_rows_are_the_masks(tmp_path: Path) -> None:
    archive = samples.archive(tmp_path, {"a": 2, "b": 3})
    for layer, shape in samples.SHAPES.items():
        rows = archive.packed(layer)
        size = int(np.prod(shape))
        assert rows.shape == (5, bits.packed_size(size))
        for row, member_id in zip(rows, archive.ids, strict=True):
            mask = archive.mask(member_id)[layer]
            np.testing.assert_array_equal(bits.unpack(row, size).reshape(shape), mask)
    chosen = ["b/0002", "a/0001"]
    np.testing.assert_array_equal(
        archive.packed("fc", (member_id for member_id in chosen)), archive.packed("fc")[[4, 1]]
    )


def test_populations_that_are_not_compared_are_left_out(tmp_path: Path) -> None:
    samples.archive(tmp_path, {"a": 2, "dense": 2, "b": 1}, missing=("a/0000",))
    study = files.read_json(tmp_path / directory.STUDY)
    for population, compared in zip(study["populations"], (None, False, True), strict=True):
        population.update({} if compared is None else {"compared": compared})
    files.write_json(tmp_path / directory.STUDY, study)
    archive = Archive(tmp_path)
    assert archive.compared == ["a/0001", "b/0000"]
    assert archive.ids == ["a/0001", "dense/0000", "dense/0001", "b/0000"]


def test_a_snapshot_is_read_by_id(tmp_path: Path) -> None:
    samples.archive(tmp_path, {"a": 2})
    earlier = samples.masks(5, 0.2)
    content = replace(samples.content("a", 1), snapshots={3: earlier})
    member.write(directory.member_path(tmp_path, "a", 1), content)
    archive = Archive(tmp_path)
    found = archive.snapshot("a/0001", 3)
    assert list(found) == list(earlier)
    for layer, mask in earlier.items():
        np.testing.assert_array_equal(found[layer], mask)
    for one, epoch in (("a/0001", 2), ("a/0000", 3)):
        with pytest.raises(ArchiveError, match=f"no snapshot at epoch {epoch}"):
            archive.snapshot(one, epoch)


def test_members_of_other_weights_are_in_other_blocks(tmp_path: Path) -> None:
    """Two draws of three kinds of base weights: drawn by two rules, and trained from draws of the first."""
    kinds = {"normal": ("kaiming-normal", None), "sign": ("signed-constant", None)}
    kinds |= {"trained": ("kaiming-normal", "trained"), "again": ("kaiming-normal", None)}
    samples.archive(tmp_path, dict.fromkeys(kinds, 4))
    for name, (init, origin) in kinds.items():
        for index in range(4):
            recipe = replace(samples.RECIPE, level=index % 2, init=init)
            plain = samples.content(name, index)
            stored = replace(plain, recipe=recipe, base=samples.base(plain.masks, recipe), origin_kind=origin)
            member.write(directory.member_path(tmp_path, name, index), stored)
    blocks = Archive(tmp_path).blocks
    of = {name: [blocks[f"{name}/{index:04d}"] for index in range(4)] for name in kinds}
    assert of["normal"] == of["again"] == [0, 1, 0, 1]
    for name in kinds:
        assert of[name] == of[name][:2] * 2
    assert len({*of["normal"], *of["sign"], *of["trained"]}) == 6


def test_weights_are_checked_and_networks_need_torch(tmp_path: Path) -> None:
    archive = samples.archive(tmp_path, {"a": 1})
    np.testing.assert_array_equal(archive.weights("a/0000")["fc"], samples.content("a").base["fc"])
    with pytest.raises(ArchiveError, match=r"use masklab\.open"):
        archive.network("a/0000")


def test_layers_of_different_sizes_are_not_stacked(tmp_path: Path) -> None:
    samples.archive(tmp_path, {"a": 2})
    other = samples.masks(0, 0.5, {"fc": (4, 6)})
    member.write(directory.member_path(tmp_path, "a", 1), samples.content("a", 1, other))
    with pytest.raises(ArchiveError, match=r"0001\.safetensors has other layers than the network"):
        Archive(tmp_path).packed("fc")


def test_another_members_file_is_refused(tmp_path: Path) -> None:
    archive = samples.archive(tmp_path, {"a": 2, "b": 1})
    directory.member_path(tmp_path, "a", 1).write_bytes(directory.member_path(tmp_path, "b", 0).read_bytes())
    with pytest.raises(ArchiveError, match=r"0001\.safetensors holds member b/0000, not a/0001"):
        archive.member("a/0001")
    assert archive.member("a/0000").id == "a/0000"


def test_a_member_of_another_recipe_or_of_no_population_is_refused(tmp_path: Path) -> None:
    archive = samples.archive(tmp_path, {"a": 2})
    member.write(
        directory.member_path(tmp_path, "a", 1), samples.content("a", 1, population_digest="another")
    )
    with pytest.raises(ArchiveError, match=r"trained under another recipe than study\.json's"):
        archive.member("a/0001")
    member.write(directory.member_path(tmp_path, "b", 0), samples.content("b", 0))
    with pytest.raises(ArchiveError, match=r"population 'b' is not in study\.json"):
        archive.member("b/0000")


def test_a_member_that_names_no_recipe_is_refused(tmp_path: Path) -> None:
    archive = samples.archive(tmp_path, {"p": 1})
    member.write(directory.member_path(tmp_path, "p", 0), samples.tiny())
    with pytest.raises(ArchiveError, match="holds member p/0003, not p/0000"):
        archive.member("p/0000")
    (tmp_path / "members/p/0000.safetensors").rename(tmp_path / "members/p/0003.safetensors")
    with pytest.raises(ArchiveError, match="field 'pruner' is missing or not a str"):
        archive.member("p/0003")


@pytest.mark.parametrize(
    "member_id",
    [
        *("", "a", "a/", "/0000", "a/0", "a/000", "a/-001", "a/00x0", "a/٠٠٠٠", "a/0000/", "a/" + "9" * 5000),
        *(
            "../a/0000",
            "a/../0000",
            "../0000",
            "./a/0000",
            ".a/0000",
            "/etc/passwd/0000",
            "a\0/0000",
            "A/0000",
        ),
    ],
)
def test_what_is_no_member_id_is_refused(tmp_path: Path, member_id: str) -> None:
    archive = samples.archive(tmp_path, {"a": 1})
    with pytest.raises(ArchiveError, match=r"is not a member id; one looks like 'biprop-d0\.5/0003'"):
        archive.member(member_id)


def test_a_member_that_is_not_stored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"0007\.safetensors does not exist"):
        samples.archive(tmp_path, {"a": 1}).member("a/0007")


def test_failures_are_listed_until_the_member_is_stored(tmp_path: Path) -> None:
    cause = {"cause": "loss is not finite", "step": 7}
    for index in (0, 1, 5):
        files.write_json(directory.failure_path(tmp_path, "a", index), cause)
    archive = samples.archive(tmp_path, {"a": 3}, missing=("a/0001", "a/0002"))
    assert archive.failures == {"a/0001": cause}
    assert archive.ids == ["a/0000"]


STUDIES: list[tuple[Any, str]] = [
    (3, "no 'populations' in it"),
    ({"schema": 1}, "no 'populations' in it"),
    *(
        ({"populations": populations}, "'populations' lacks a name, members or a digest")
        for populations in (
            3,
            {},
            [3],
            [{}],
            [{"name": "a", "members": 1}],
            [{"name": "a", "members": "1", "digest": "x"}],
            [{"name": "../a", "members": 1, "digest": "x"}],
            [{"name": None, "members": 1, "digest": "x"}],
        )
    ),
]


@pytest.mark.parametrize(("study", "message"), STUDIES)
def test_a_directory_with_another_study_is_refused(tmp_path: Path, study: Any, message: str) -> None:
    files.write_json(tmp_path / directory.STUDY, study)
    with pytest.raises(ArchiveError, match=message):
        Archive(tmp_path)


def test_a_directory_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"study\.json does not exist"):
        Archive(tmp_path)
    with pytest.raises(ArchiveError, match="is not a directory; give the --out of a `masklab train`"):
        Archive(tmp_path / "nowhere")
    (tmp_path / directory.STUDY).write_text("{")
    with pytest.raises(ArchiveError, match=r"study\.json is not JSON"):
        Archive(tmp_path)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        *((name, True) for name in ("a", "biprop+recycle-d0.5", "_x", "-x", "+", "0003", "a..b")),
        *(
            (name, False)
            for name in ("", ".", "..", ".a", "a/b", "a\\b", "A", "a b", "a\n", "é", "a:b", "<a>")
        ),
    ],
)
def test_population_names_are_safe_folder_names(name: str, allowed: bool) -> None:
    assert bool(directory.POPULATION_NAME.fullmatch(name)) == allowed


def test_an_archive_is_read_without_torch_and_pandas(tmp_path: Path) -> None:
    samples.archive(tmp_path, {"a": 1})
    code = (
        "import sys, pathlib; from masklab.archive import Archive;"
        "archive = Archive(pathlib.Path(sys.argv[1]));"
        "archive.member('a/0000').verify(); archive.packed('fc');"
        "print(sorted({'torch', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
