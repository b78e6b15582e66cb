"""True classes: where they come from, and what is left where they are missing or contradict the study."""

import numpy as np
import pytest

from masklab.analysis.function import labels
from masklab.archive import Archive, directory, files, study_file
from masklab.errors import ArchiveError

from . import studies


def edited(archive: Archive, **data) -> Archive:
    found = files.read_json(archive.directory / directory.STUDY)
    found["data"] |= data
    found["recipe_digest"] = study_file.recipe_digest(found)
    files.write_json(archive.directory / directory.STUDY, found)
    return Archive(archive.directory)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"digest": "another"}, "not the one that the study was trained on"),
        ({"path": "/nowhere/at/all.npz"}, "/nowhere/at/all.npz"),
        ({"path": None}, "needs a path"),
        ({"name": "unheard-of"}, "unknown data set 'unheard-of'"),
    ],
)
def test_without_the_data_set_only_labels_are_missing(tmp_path, truth, change, why):
    archive = edited(studies.of_guesses(tmp_path, truth), **change)
    found = studies.rows(archive)
    assert why in found["scope"]["labels"]
    known = {row["metric"] for row in found["function"] if row["estimate"]["value"] is not None}
    assert known == {"disagreement", "kappa", "jensen_shannon"}
    unknown = [row for row in found["function"] if row["metric"] not in known]
    assert len({row["metric"] for row in unknown}) == 3
    for row in [*unknown, *found["ensembles"]]:
        assert row["estimate"]["value"] is None and row["estimate"]["why"] == found["scope"]["labels"]
    assert found["tests"][0]["p"] is not None and len(found["scatter"]) == 16
    assert all(row["mean_member"] is None and row["why"] for row in found["ensembles"])


def test_predictions_that_contradict_the_stored_accuracy_are_not_judged(tmp_path, truth):
    archive = studies.of_guesses(tmp_path, truth)
    other = np.roll(truth, 1)
    path = tmp_path / "other.npz"
    changed = edited(archive, path=str(path), digest=studies.npz(path, other, studies.LABELS))
    why = studies.rows(changed)["scope"]["labels"]
    assert "the predictions of a/0000 give accuracy" in why and "its file says" in why
    shorter = edited(archive, path=str(path), digest=studies.npz(path, truth[:-1], studies.LABELS))
    assert "50 predictions for 49 test images" in studies.rows(shorter)["scope"]["labels"]


def test_labels_are_in_the_order_of_predictions(tiny, train, tmp_path):
    """Real members on real image files: their stored accuracy is that of stored predictions and labels."""
    train(tiny({"pruner": "edge-popup"}, training={"epochs": 1}), tmp_path / "out")
    archive = Archive(tmp_path / "out")
    found, why = labels.of(archive)
    assert found is not None and why == ""
    for one in archive.ids:
        member = archive.member(one)
        assert (member.prediction() == found).mean() == member.facts["accuracy"]["test"]


def test_a_killed_loader_costs_the_labels_alone(tmp_path, truth, monkeypatch):
    monkeypatch.setattr(
        labels, "_PROGRAM", "import os, sys; print('no memory', file=sys.stderr); os._exit(9)"
    )
    found, why = labels.of(studies.of_guesses(tmp_path, truth))
    assert found is None
    assert why.endswith("'arrays': the process that loads it ended with status 9 (no memory)")


def test_what_a_source_prints_is_not_taken_for_labels(tmp_path, truth, monkeypatch):
    noisy = (
        "import os; from masklab import data; load = data.load\n"
        "def loud(*given):\n    os.write(1, b'downloading'); print('done'); return load(*given)\n"
        "data.load = loud\n"
    )
    monkeypatch.setattr(labels, "_PROGRAM", noisy + labels._PROGRAM)
    found, why = labels.of(studies.of_guesses(tmp_path, truth))
    assert why == "" and found is not None
    np.testing.assert_array_equal(found, truth)


@pytest.mark.parametrize(
    ("images", "change", "message"),
    [
        (49, {}, "49 predictions for 50 test images"),
        (50, {"classes": ["0", "1"]}, "predicts class 3; there are 2 classes"),
    ],
)
def test_predictions_that_fit_no_study(tmp_path, truth, images, change, message):
    archive = studies.of_guesses(tmp_path, truth[:images], members=(2,))
    with pytest.raises(ArchiveError, match=message):
        studies.rows(edited(archive, test=50, **change))
