import pytest

from masklab import analysis
from masklab.analysis import distances, equal, guards, sections

from . import builder


def warnings_of(archive):
    found = builder.assembled(archive)["warnings"]
    by_code = {}
    for row in found:
        assert set(row) == {"code", "text", "where"} and all(isinstance(text, str) for text in row.values())
        by_code.setdefault(row["code"], []).append(row)
    return by_code


def test_a_complete_study_warns_of_sampling_error_only(tmp_path):
    masks = builder.random_masks({"a": 0.5, "b": 0.5}, members=15)
    found = warnings_of(builder.build(tmp_path, masks, draws=3))
    assert set(found) == {"accuracy-sampling"}
    assert "400 test images" in found["accuracy-sampling"][0]["text"]
    assert "2.48 points" in found["accuracy-sampling"][0]["text"]  # √(0.57·0.43/400)


def test_an_incomplete_study_says_what_is_missing(tmp_path):
    masks = builder.random_masks({"a": 0.5, "b": 0.3}, members=3)
    masks["a"] += [None, None, None]
    archive = builder.build(tmp_path, masks, draws=2, failed=["a/0004"], overrides={"b": {"rank": "signed"}})
    found = warnings_of(archive)
    assert "2 draws" in found["few-weight-draws"][0]["text"]
    assert "0.3, 0.5" in found["unequal-densities"][0]["text"]
    assert [row["where"] for row in found["few-members"]] == ["a", "b"]
    assert "a/0004: loss is not finite" in found["failed-members"][0]["text"]
    assert "2 of 6 members" in found["missing-members"][0]["text"]
    assert (found["not-identical"][0]["where"], "rank = signed" in found["not-identical"][0]["text"]) == (
        "b",
        True,
    )


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_other_kinds_of_weights_are_no_further_draws(tmp_path, draws):
    masks = builder.random_masks({"a": 0.5, "magnitude": 0.5}, members=6)
    archive = builder.build(tmp_path, masks, draws=draws, trained=["magnitude"])
    assert len(set(archive.blocks.values())) == 2 * draws
    found = warnings_of(archive).get("few-weight-draws", [])
    said = {1: ["1 draw of base weights"], 2: ["2 draws of base weights"], 3: []}[draws]
    assert [row["text"].partition(":")[0] for row in found] == said


@pytest.mark.parametrize(("trained", "warned"), [(True, True), (False, False)])
def test_only_what_was_trained_is_held_against_guessing(tmp_path, trained, warned):
    masks = builder.random_masks({"a": 0.5}, members=5)
    row = {"a": {"control": "magnitude", "trained": trained}}
    archive = builder.build(tmp_path, masks, rows=row)
    for member in archive.ids:
        archive.member(member).facts["accuracy"]["test"] = 0.5
    archive.study["data"]["classes"] = ["a", "b"]
    assert ("at-guessing" in warnings_of(archive)) == warned


def test_too_few_masks_for_an_embedding(tmp_path):
    found = warnings_of(builder.build(tmp_path, builder.random_masks({"a": 0.5}, members=3)))
    assert found["few-members-to-embed"][0]["where"] == "embeddings"


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ({"a/0000": {"scores": 0}, "a/0001": {"scores": 0}}, "all their seeds are equal"),
        ({"a/0000": {"scores": 0}, "a/0001": {"scores": 1}}, "seeds or pruners differ"),
        ({"a/0000": {"scores": 0}, "b/0000": {"scores": 0}}, "seeds or pruners differ"),
    ],
)
def test_equal_masks_are_named(tmp_path, levels, said):
    mask = builder.random_mask(0, 0.5)
    members = {name: [mask, builder.random_mask(1, 0.5)] for name in ("a", "b")}
    if "a/0001" in levels:
        members = {"a": [mask, mask]}
    archive = builder.build(tmp_path, members)
    rows = {"members": [{"id": own, "kept_density": 0.5} for own in levels]}
    (row,) = guards.duplicates(equal.groups(distances.measure(archive, list(levels))), rows, levels)
    assert said in row["text"] and all(member in row["text"] for member in levels)


def test_groups_of_equal_masks_are_named_once(tmp_path):
    full = {"fc": builder.random_mask(0, 1.0)["fc"]}
    half = {"fc": builder.random_mask(0, 0.5)["fc"]}
    archive = builder.build(tmp_path, {"dense": [full] * 7, "a": [half, half]})
    found = warnings_of(archive)["duplicate-members"]
    assert len(found) == 2
    assert "keep every weight" in found[0]["text"] and "and 2 more" in found[0]["text"]
    assert "a/0000, a/0001" in found[1]["text"]


def test_equal_masks_are_found_without_pairs(tmp_path):
    masks = [builder.random_mask(seed, 0.5) for seed in (0, 1, 0, 2, 1, 0)]
    archive = builder.build(tmp_path, {"a": masks})
    groups = [["a/0000", "a/0002", "a/0005"], ["a/0001", "a/0004"]]
    assert equal.hashed(archive, archive.ids) == equal.groups(distances.measure(archive)) == groups
    assert equal.hashed(archive, []) == equal.groups(distances.measure(archive, ["a/0003"])) == []


def test_warnings_of_training_come_first(tmp_path):
    archive = builder.build(tmp_path, builder.random_masks({"a": 0.5}, members=5))
    own = {"code": "own", "text": "said while training", "where": "a"}
    archive.study["warnings"] = [own]
    later = {"code": "later", "text": "said by another stage", "where": "b"}
    found = builder.assembled(archive, extra_warnings=[later])["warnings"]
    assert found[0] == own and found[-1] == later


@pytest.mark.parametrize(("draws", "least"), [(4, 1), (2, 2), (1, None)])
def test_too_few_members_on_a_draw(tmp_path, draws, least):
    masks = builder.random_masks({"a": 0.5, "b": 0.5}, members=5)
    found = warnings_of(builder.build(tmp_path, masks, draws=draws))
    assert "few-members" not in found
    if least is None:
        assert "few-members-per-cell" not in found
        return
    (warning,) = found["few-members-per-cell"]
    assert warning["where"] == "a, b"
    assert f"5 members on {draws} draws of base weights, {least} on one of them" in warning["text"]


def test_members_of_other_densities(tmp_path):
    masks = {
        "a": [builder.random_mask(seed, density) for seed, density in enumerate((0.05, 0.5, 0.9, 0.5, 0.5))]
    }
    (warning,) = warnings_of(builder.build(tmp_path, masks))["unequal-densities"]
    assert "from 0.0" in warning["text"] and "between members" in warning["text"]


def test_changed_base_weights_beside_drawn_ones(tmp_path):
    masks = builder.random_masks({"a": 0.5, "b": 0.5}, members=5)
    rows = {"b": {"control": "magnitude", "trained": True}}
    found = warnings_of(builder.build(tmp_path / "mixed", masks, rows=rows, trained=["b"]))
    (warning,) = found["mixed-base-weights"]
    assert warning["text"].startswith("b: base weights were changed")
    alike = warnings_of(builder.build(tmp_path / "alike", masks, events=3))
    assert "mixed-base-weights" not in alike


def test_what_does_not_fit_the_memory_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(sections, "fits", lambda members, layers, memory: False)
    masks = builder.random_masks({"a": 0.5, "b": 0.5}, members=5)
    found = analysis.analyze(builder.build(tmp_path, masks))
    (warning,) = (row for row in found["warnings"] if row["code"] == "without-pairs")
    assert warning["text"] == found["without_pairs"]
    assert "distances of all pairs of 10 members and 4 layers need about 0 MB" in warning["text"]
    for key in ("overlap", "clusters", "function", "diversity", "embeddings"):
        assert found[key] == []
    for key in ("stability", "spread", "sums", "consensus", "structure"):
        assert found[key]
    assert {row["test"] for row in found["tests"]} == {"accuracy", "stability", "stability-against-chance"}
    assert not (tmp_path / "analysis" / "overlap.npz").exists()
