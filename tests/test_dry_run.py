"""`--dry-run`: what is said is what happens then, and nothing is written."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest

from masklab import parallel, stages, study
from masklab.analysis import inputs
from masklab.archive import Archive, files, looking
from masklab.stages import dry
from masklab.training import shards
from tests.conftest import Cli
from tests.report import builder

STUDY = """
[study]
name = "tiny"
[seeds]
weights = 1
[data]
name = "imagefolder"
path = "{images}"
validation_fraction = 0.25
[network]
name = "mlp"
width = 0.05
[training]
epochs = 4
batch_size = 16
[[population]]
pruner = "edge-popup"
density = 0.5
members = 3
[[population]]
pruner = "biprop+iterand"
density = 0.5
members = 2
[[population]]
pruner = "shuffled"
of = "edge-popup-d0.5"
members = 2
"""
EACH = 4 * 3  # 48 of 64 images are trained on, in batches of 16, for 4 epochs
CPU = ("--device", "cpu", "--engine", "vmap")
BUDGET = ("--budget", "2000", "--device", "cpu", "--jobs", 1)

Tree = dict[str, tuple[int, bytes]]


def tree(folder: Path) -> Tree:
    """Everything below a folder: name → time of change and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def file(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "study.toml"
    path.write_text(STUDY.format(images=images))
    return path


@pytest.fixture(scope="module")
def trained(file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dry.Training, Path]:
    """What a dry run said, and the directory that was made then."""
    out = tmp_path_factory.mktemp("dry") / "out"
    said = dry.train(study.read(file, {}), out, jobs=1, device="cpu", engine="vmap")
    assert not out.exists()
    stages.train(study.read(file, {}), out, jobs=1, device="cpu", engine="vmap")
    return said, out


@pytest.fixture
def stored(trained: tuple[dry.Training, Path], tmp_path: Path) -> Path:
    """A copy of the directory that may be changed."""
    return Path(shutil.copytree(trained[1], tmp_path / "stored"))


def rows(out: str) -> dict[str, list[str]]:
    """First word of each line of a table → the other words."""
    return {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.split()}


@pytest.mark.parametrize("verb", ["train", "run"])
def test_a_training_says_members_steps_time_memory_and_disk(
    cli: Cli, file: Path, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "closed").mkdir(mode=0o555)
    for out in (tmp_path / "absent" / "deeper", tmp_path / "closed" / "out"):
        before = tree(tmp_path)
        code, said, err = cli(verb, file, "--out", out, *CPU, "--jobs", 2, "--dry-run")
        assert code == 0, err
        assert tree(tmp_path) == before
        table = rows(said)
        assert table["edge-popup-d0.5"] == ["3", "0", "0", "3", "1", "12", "36"]
        assert table["biprop+iterand-d0.5"] == ["2", "0", "0", "2", "1", "12", "24"]
        assert table["shuffled-d0.5"] == ["2", "0", "0", "2", "1", "0", "0"]
        assert table["all"] == ["7", "0", "0", "7", "3", "60"]
        assert "vmap, fp32, cpu; a step of one member takes" in said and "measured now" in said
        assert table["loky"][:2] == ["(chosen)", "2"]
        assert table["dask"][0] == table["ray"][0] == "2"
        assert re.search(r"memory: [\d.]+ .B per worker, [\d.]+ .B for 2, of", said)
        assert re.search(r"disk: about [\d.]+ kB of member files, and up to [\d.]+ kB of checkpoints", said)
        assert (f"write {out}/report.html" in said) == (verb == "run")
        assert said.endswith("dry run: nothing was written\n")


def test_workers_of_clusters_are_not_made_up(cli: Cli, file: Path, tmp_path: Path) -> None:
    _, said, _ = cli("train", file, "--out", tmp_path / "out", *CPU, "--dry-run")
    assert said.count("--address or --jobs says how many workers") == 2
    _, said, _ = cli("train", file, "--out", tmp_path / "out", *CPU, "--backend", "dask", "--dry-run")
    assert rows(said)["dask"][:2] == ["(chosen)", str(parallel.cores())]


def test_time_is_that_of_the_schedule(file: Path, tmp_path: Path) -> None:
    """A round of two cohorts of 36 and 24 steps, then one without steps."""
    loaded, out = study.read(file, {}), tmp_path / "out"
    for jobs, steps in ((1, 60), (2, 36), (5, 36)):
        found = dry.train(loaded, out, jobs=jobs, device="cpu", engine="vmap")
        assert found.step_seconds is not None and found.step_seconds > 0
        for backend in found.backends:
            assert backend.workers == jobs
            assert backend.seconds == pytest.approx(steps * found.step_seconds)


def test_shards_share_the_members(file: Path, tmp_path: Path) -> None:
    loaded, out = study.read(file, {}), tmp_path / "out"
    parts = [
        dry.train(loaded, out, shard=shards.Shard(number, 2), device="cpu", engine="loop").populations
        for number in (1, 2)
    ]
    assert [[own.missing for own in part] for part in parts] == [[3, 0, 2], [0, 2, 0]]
    assert [sum(own.all_steps for own in part) for part in parts] == [3 * EACH, 2 * EACH]


def test_what_is_said_is_what_is_written(trained: tuple[dry.Training, Path]) -> None:
    said, out = trained
    written = sum(path.stat().st_size for path in out.rglob("*.safetensors"))
    assert said.disk.members == pytest.approx(written, rel=0.1)
    assert said.new and said.missing == 7 and said.memory is not None
    assert said.memory.worker < said.memory.free and said.memory.workers == 1


def test_what_is_there_is_counted(cli: Cli, file: Path, stored: Path) -> None:
    """A cohort is trained as a whole; failures on record are left alone unless the user says so."""
    (stored / "members/edge-popup-d0.5/0000.safetensors").unlink()
    path = stored / "members/edge-popup-d0.5/0001.safetensors"
    path.unlink()
    record = {"population": "edge-popup-d0.5", "index": 1, "pruner": "edge-popup", "cause": "x", "step": 3}
    files.write_json(path.with_name("0001.failed.json"), record)
    before = tree(stored)
    for options, failed, missing in (((), "1", "1"), (("--retry-failed",), "0", "2")):
        code, said, _ = cli("train", file, "--out", stored, *options, "--dry-run")
        assert code == 0 and tree(stored) == before
        assert rows(said)["edge-popup-d0.5"] == ["3", "1", failed, missing, "1", "12", "36"]
        assert rows(said)["shuffled-d0.5"] == ["2", "2", "0", "0", "0", "0", "0"]
    code, said, _ = cli("run", file, "--out", stored, "--set", "study.name=other", "--dry-run")
    assert code == 0 and "afterwards: analyze" in said


def test_nothing_left_to_do(cli: Cli, file: Path, stored: Path) -> None:
    made_of = inputs.fingerprint(Archive(stored))
    files.write_json(stored / "analysis/results.json", {"input": made_of})
    (stored / "report.html").write_text(made_of)
    before = tree(stored)
    code, said, err = cli("run", file, "--out", stored, "--dry-run")
    assert (code, err) == (0, "")
    assert "nothing to train" in said and "analysis and report are up to date" in said
    assert tree(stored) == before


def test_an_analysis_says_pairs_memory_and_landscape(cli: Cli, stored: Path) -> None:
    before = tree(stored)
    code, said, err = cli("analyze", stored, *BUDGET, "--dry-run")
    assert (code, err) == (0, "")
    sizes = [layer["size"] for layer in json.loads((stored / "study.json").read_text())["network"]["layers"]]
    compared = 20 * 21 * sum(sizes)  # all pairs of 7 members, and of 19 twins of theirs
    assert f"{stored}: 7 members, 3 layers\n" in said
    assert f"pairs: 21 in 3 tiles (0 kept), and of 19 random twins: {compared:,} bits compared" in said
    assert "of --memory 2.0 GB" in said and "neighbourhood" in said
    assert tree(stored) == before  # not even a catalogue of the members
    assert stages.analyze_shard(stored, shards.Shard(1, 2), jobs=1, device="cpu", memory=10**8)
    code, said, _ = cli(
        "analyze", stored, "--shard", "1/2", "--memory", "100MB", "--device", "cpu", "--dry-run"
    )
    assert "(part 1/2 of tiles and pieces)" in said and "in 2 tiles (2 kept)" in said


def test_other_verbs_say_what_they_read_and_write(cli: Cli, stored: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "masks.npz", fc1=np.eye(4, dtype=bool))
    one, two = "edge-popup-d0.5/0000", "edge-popup-d0.5/0002"
    read = [stored / name for name in ("study.json", "plan.json")]
    files.write_json(stored / "analysis/results.json", {})
    read += [*stored.glob("members/*/*"), stored / "analysis/results.json"]
    made = tmp_path / "made"
    builder.build(made, populations=2, members=3)
    page, there = stored / "page.html", tmp_path / "there.npz"
    there.touch()
    commands: list[tuple[tuple[Any, ...], str]] = [
        (("verify", stored, "--sample", 2), f"7 member files and {len(read) - 7} other files"),
        (("reproduce", stored, two), f"train 3 members (its cohort), 4 epochs, {3 * EACH} steps in all"),
        (("reproduce", stored, "shuffled-d0.5/0001"), "train 1 member (its cohort), 0 epochs, 0 steps"),
        (("walk", stored, one, two, "--points", 5), "9 networks, those of the ends alone included, on"),
        (("report", made, "-o", page), f"would be written: {page}\n"),
        (("report", made, "-o", "-", "--compare", made), "\nwould be printed"),
        (("export", stored, one, "-o", there, "--force"), f"would be written: {there}, "),
        (("import", tmp_path / "masks.npz", "--out", tmp_path / "new"), "1 mask would be imported"),
    ]
    before = tree(tmp_path)
    for command, expected in commands:
        code, said, err = cli(*command, "--dry-run")
        assert (code, err) == (0, ""), command
        assert expected in said and said.endswith("dry run: nothing was written\n")
        assert tree(tmp_path) == before, command
    assert dry.verify(stored, sample=2) == dry.Check(
        7, len(read) - 7, sum(path.stat().st_size for path in read), 2, ""
    )
    assert dry.walk(stored, one, stored, two, points=5).evaluations == 9 * (32 + 16)
    exported = dry.export(stored, one, tmp_path / "new.npz").bytes
    stages.export(stored, one, tmp_path / "new.npz")
    assert (tmp_path / "new.npz").stat().st_size == exported
    imported = dry.import_masks([tmp_path / "new.npz"], tmp_path / "new").bytes
    stages.import_masks([tmp_path / "new.npz"], tmp_path / "new")
    (member,) = (tmp_path / "new").glob("members/*/*")
    assert member.stat().st_size == imported


WRONG = [
    ("train", "{file}", "--out", "{stored}", "--set", "training.epochs=5"),
    ("train", "{file}", "--out", "{stored}", "--engine", "loop"),
    ("train", "{file}", "--out", "{new}", "--device", "tpu"),
    ("train", "{file}", "--out", "{new}", "--backend", "slurm"),
    ("train", "{file}", "--out", "{new}", "--shard", "3/2"),
    ("run", "{file}", "--out", "{file}"),
    ("train", "{file}", "--out", "{file}/below"),
    ("analyze", "{stored}", "--memory", "1kB", "--budget", "2000"),
    ("analyze", "{stored}", "--shard", "1/2", "--merge"),
    ("walk", "{stored}", "edge-popup-d0.5/0000", "edge-popup-d0.5/0000"),
    ("walk", "{stored}", "edge-popup-d0.5/0000", "edge-popup-d0.5/0001", "--points", "1"),
    ("report", "{stored}", "{stored}"),
    ("report", "{new}"),
    ("report", "{stored}", "--compare", "{stored}/report.html"),
    ("reproduce", "{stored}", "edge-popup-d0.5/0007"),
    ("verify", "{new}"),
    ("export", "{stored}", "edge-popup-d0.5/0000", "-o", "{there}"),
    ("import", "{file}", "--out", "{new}"),
]


@pytest.mark.parametrize("command", WRONG, ids=" ".join)
def test_wrong_input_is_the_same_line(
    cli: Cli, trained: tuple[dry.Training, Path], file: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    there = tmp_path / "there.npz"
    there.touch()
    names = {"file": file, "stored": trained[1], "new": tmp_path / "new", "there": there}
    words = [word.format(**names) for word in command]
    code, said, err = cli(*words, "--dry-run")
    assert (code, said) == (2, "") and err.count("\n") == 1
    assert err == cli(*words)[2].splitlines(keepends=True)[-1]


def test_nothing_is_downloaded(cli: Cli, file: Path, tmp_path: Path) -> None:
    sets = ("--set", "data.name=mnist", "--set", f"data.path={tmp_path}", "--set", "data.download=true")
    code, _, err = cli("train", file, "--out", tmp_path / "out", *sets, "--dry-run")
    assert code == 2 and "'mnist' would be downloaded first" in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_writing_while_looking_is_a_bug(tmp_path: Path) -> None:
    with looking.only():
        files.write_hint(tmp_path / "hint", b"lost")
        with pytest.raises(RuntimeError, match="only looked at"):
            files.write_atomic(tmp_path / "file", b"")
        with pytest.raises(RuntimeError, match="only looked at"), files.locked(tmp_path / "folder"):
            pass
    assert list(tmp_path.iterdir()) == []
    files.write_hint(tmp_path / "hint", b"kept")
    assert (tmp_path / "hint").read_bytes() == b"kept"


def test_a_cluster_is_asked_for_its_workers(cli: Cli, file: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"processes": False, "dashboard_address": None}
    local: Any = distributed.LocalCluster  # its type says that it is awaited
    with local(n_workers=3, threads_per_worker=1, **options) as cluster:
        place = ("--backend", "dask", "--address", str(cluster.scheduler.address))
        code, said, err = cli(
            "train", file, "--out", tmp_path / "out", "--device", "cpu", *place, "--dry-run"
        )
    assert code == 0 and "on a worker" in err
    assert rows(said)["dask"][:2] == ["(chosen)", "3"]
    assert list(tmp_path.iterdir()) == []
