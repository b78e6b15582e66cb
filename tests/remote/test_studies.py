"""Studies in places that are reached by requests."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import masklab
from masklab import stages, study
from masklab.archive import Member, directory, files
from masklab.errors import ArchiveError
from masklab.training import cohort, watch
from tests.conftest import Cli, TinyStudy, member_bytes

from .conftest import Server

POPULATIONS = (("edge-popup", 2), ("biprop+iterand", 1))  # too few for UMAP, which takes its time
FLAGS = ("--device", "cpu", "--engine", "vmap")


def masklab_process(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "masklab_cli.app", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    populations = "".join(
        f'[[population]]\npruner = "{pruner}"\ndensity = 0.5\nmembers = {members}\n'
        for pruner, members in POPULATIONS
    )
    file = tmp_path_factory.mktemp("study") / "tiny.toml"
    file.write_text(
        f'[data]\nname = "imagefolder"\npath = "{images}"\nvalidation_fraction = 0.25\n'
        '[network]\nname = "mlp"\nwidth = 0.05\n'
        f"[training]\nepochs = 4\nbatch_size = 16\n[analysis]\ninterpolation_points = 3\n{populations}"
    )
    return file


@pytest.fixture(scope="module")
def local(study_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Member files as they are in a local directory, by their path inside."""
    out = tmp_path_factory.mktemp("local")
    stages.train(study.read(study_file), out, jobs=1, device="cpu", engine="vmap")
    return member_bytes(out)


def stored_bytes(out: files.Location) -> dict[str, bytes]:
    """Member files of a remote directory, by their path inside."""
    found = {}
    for pruner, _ in POPULATIONS:
        folder = f"{directory.MEMBERS}/{pruner}-d0.5"
        for name in files.listing(out / folder):
            found[f"{folder}/{name}"] = files.read(out / folder / name)
    return found


@pytest.fixture(scope="module")
def done(server: Server, environment: dict[str, str], study_file: Path) -> tuple[str, list[str], str]:
    """URL of a study that was run by two workers while requests failed; the requests; what was said."""
    url = server.bucket("done") + "/runs/tiny"
    server.requests()
    with server.failing(share=0.04, seed=5):
        ran = masklab_process(environment, "run", study_file, "--out", url, "--jobs", 2, *FLAGS)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [f"{url}: 3 members trained, 0 already there", f"{url}/report.html"]
    return url, server.requests(), ran.stderr


def test_two_workers_and_a_server_that_fails_now_and_then(
    done: tuple[str, list[str], str], local: dict[str, bytes]
) -> None:
    url, requests, said = done
    assert stored_bytes(files.location(url)) == local
    assert "Traceback" not in said
    assert "cannot be locked: let one process at a time add members or populations" in said
    assert len({request.split(maxsplit=2)[2] for request in requests if len(request.split()) > 2}) > 1
    page = files.read(files.location(url) / directory.REPORT).decode()
    assert page.endswith("</html>")
    assert all(f"{pruner}-d0.5" in page for pruner, _ in POPULATIONS)
    assert files.listing(files.location(url) / directory.CHECKPOINTS) == {}


def test_a_file_is_written_once_and_nothing_is_asked_while_a_step_is_made(
    done: tuple[str, list[str], str], local: dict[str, bytes]
) -> None:
    _, requests, _ = done
    sound = [request.split()[:2] for request in requests if len(request.split()) == 2]
    written = Counter(path.partition("?")[0] for method, path in sound if method == "PUT")
    assert {path: written[f"/done/runs/tiny/{path}"] for path in local} == dict.fromkeys(local, 1)
    assert not [path for path in written if "checkpoints" in path and not path.endswith(".progress")]
    first = next(at for at, (_, path) in enumerate(sound) if ".safetensors" in path)
    assert first < 60


def test_the_catalogue_lies_beside_the_members_and_is_used(
    done: tuple[str, list[str], str], server: Server
) -> None:
    out = files.location(done[0])
    first = masklab.open(done[0]).members
    assert ".catalogue" in files.listing(out)
    server.requests()
    again = masklab.open(done[0]).members
    pd.testing.assert_frame_equal(first, again)
    asked = server.requests()
    assert any(".catalogue" in request for request in asked)
    assert not [request for request in asked if ".safetensors" in request]


def test_a_study_is_opened_from_python(
    done: tuple[str, list[str], str], local: dict[str, bytes], tmp_path: Path
) -> None:
    archive = masklab.open(done[0])
    assert archive.ids == [f"{p}-d0.5/{index:04d}" for p, members in POPULATIONS for index in range(members)]
    assert archive.members.index.tolist() == archive.ids
    assert archive.failures == {}
    for one in archive.ids:
        (tmp_path / "copy").write_bytes(local[f"{directory.MEMBERS}/{one}.safetensors"])
        copy = Member(tmp_path / "copy")
        assert {name: mask.tolist() for name, mask in archive.mask(one).items()} == {
            name: mask.tolist() for name, mask in copy.mask().items()
        }
        archive.member(one).verify()


def test_every_command_takes_a_url(done: tuple[str, list[str], str], cli: Cli, study_file: Path) -> None:
    url = done[0]
    code, out, err = cli("show", url)
    assert (code, err) == (0, "")
    assert out.count("edge-popup-d0.5/") == 2
    code, out, err = cli("reproduce", url, "biprop+iterand-d0.5/0000")
    assert code == 0
    assert "bit-identical" in out
    code, out, _ = cli("verify", url, "--jobs", 1)
    assert (code, out) == (0, "3 member files checked, 3 rebuilt and compared: no problem\n")
    code, out, err = cli("report", f"{url}/", "-o", f"{url}/pages/one.html")
    assert (code, out) == (0, f"{url}/pages/one.html\n")
    pages = [files.read(files.location(url) / name) for name in ("report.html", "pages/one.html")]
    assert pages[0] == pages[1]
    code, out, err = cli("report", url, f"{url}/", "-o", f"{url}/pages/two.html")
    assert (code, err) == (2, f"masklab: {url} is named twice; each study goes on the page once\n")
    code, out, err = cli("run", study_file, "--out", url, "--jobs", 1, *FLAGS)
    assert (code, err) == (0, "analysis and report are up to date\n")


def test_what_is_missing_is_trained_again(
    done: tuple[str, list[str], str], local: dict[str, bytes], cli: Cli, study_file: Path
) -> None:
    out = files.location(done[0])
    lost = next(path for path in local if "iterand" in path)
    files.remove(out / lost)
    code, said, _ = cli("train", study_file, "--out", done[0], "--jobs", 1, *FLAGS)
    assert (code, said) == (0, f"{done[0]}: 1 members trained, 2 already there\n")
    assert stored_bytes(out) == local


@pytest.mark.parametrize("damage", ["cut", "emptied", "changed"])
def test_a_damaged_file_is_refused(
    done: tuple[str, list[str], str], local: dict[str, bytes], cli: Cli, damage: str
) -> None:
    out = files.location(done[0])
    path, content = next(iter(local.items()))
    changed = bytearray(content)
    changed[200] ^= 1
    wrong = {"cut": content[:-1], "emptied": b"", "changed": bytes(changed)}
    files.write_atomic(out / path, wrong[damage])
    try:
        code, said, err = cli("show", done[0])
        assert (code, said) == (2, "")
        assert err.startswith("masklab: ")
        assert f"{done[0]}/{path}" in err
        assert err.count("\n") == 1
        code, said, _ = cli("verify", done[0], "--jobs", 1)
        assert code == 1
        assert f"{done[0]}/{path}" in said.splitlines()[0]
        assert said.endswith(": 1 problem\n")
    finally:
        files.write_atomic(out / path, content)


@pytest.mark.parametrize("command", ["train", "show"])
def test_a_server_that_is_down_is_one_line(
    environment: dict[str, str], study_file: Path, command: str
) -> None:
    url = "s3://bucket/a"
    arguments = ["train", study_file, "--out", url] if command == "train" else ["show", url]
    down = {**environment, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    ran = masklab_process(down, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("masklab: cannot ")
    assert f"{url}/" in ran.stderr
    assert "Could not connect to the endpoint URL" in ran.stderr


def test_a_refused_upload_ends_the_training_which_goes_on_from_its_checkpoint(
    server: Server, local: dict[str, bytes], cli: Cli, study_file: Path
) -> None:
    url = server.bucket("refused") + "/a"
    command = ("train", study_file, "--out", url, "--jobs", 1, "--checkpoint", 0, *FLAGS)
    with server.failing(refused="/members/"):
        code, said, err = cli(*command)
    assert (code, said) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith(f"masklab: cannot write {url}/members/edge-popup-d0.5/0000.safetensors: Forbidden")
    left = files.listing(files.location(url) / directory.CHECKPOINTS)
    assert "edge-popup-d0.5-0000.checkpoint" in left
    server.requests()
    code, said, err = cli(*command)
    assert (code, said) == (0, f"{url}: 3 members trained, 0 already there\n")
    read = [
        request for request in server.requests() if request.startswith("GET") and ".checkpoint" in request
    ]
    assert any("edge-popup-d0.5-0000.checkpoint" in request for request in read)
    assert stored_bytes(files.location(url)) == local
    assert files.listing(files.location(url) / directory.CHECKPOINTS) == {}


def test_memory_is_a_place_for_one_process(local: dict[str, bytes], cli: Cli, study_file: Path) -> None:
    url = "memory://studies/a"
    code, said, _ = cli("train", study_file, "--out", url, "--jobs", 4, *FLAGS)
    assert (code, said) == (0, f"{url}: 3 members trained, 0 already there\n")
    assert stored_bytes(files.location(url)) == local
    assert cli("show", url)[0] == 0
    assert cli("show", "memory://studies/b")[2] == ("masklab: memory://studies/b/study.json does not exist\n")


def test_passwords_do_not_go_into_study_json(
    tiny: TinyStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["masklab", "train", "--out", "sftp://me:secret@host/a"])
    stages.train(tiny({"pruner": "random", "members": 1}), tmp_path, jobs=1, device="cpu")
    assert "secret" not in (tmp_path / directory.STUDY).read_text()
    assert "sftp://host/a" in (tmp_path / directory.STUDY).read_text()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Function that lets seconds pass."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def passing(seconds: float) -> None:
        now[0] += seconds

    return passing


@pytest.mark.parametrize("remote", [False, True])
def test_progress_is_written_rarely_where_it_costs_a_request(
    clock: Callable[[float], None], tmp_path: Path, remote: bool
) -> None:
    folder = files.location(f"memory://progress/{tmp_path.name}") if remote else tmp_path
    report, seen = cohort.file_progress(folder / "checkpoints" / "a.progress"), []
    for done in range(1, 101):
        clock(0.2)
        report(done, 100)
        if files.exists(folder / "checkpoints" / "a.progress"):
            seen.append(files.read(folder / "checkpoints" / "a.progress").decode())
    assert len(set(seen)) == (4 if remote else 100)
    assert set(seen) <= {f"{done}/100" for done in range(1, 101)}


@pytest.mark.parametrize("remote", [False, True])
def test_whoever_waits_reads_what_workers_wrote(tmp_path: Path, remote: bool) -> None:
    out = files.location(f"memory://watch/{tmp_path.name}") if remote else tmp_path
    folder = out / directory.CHECKPOINTS
    looking = watch.Watch(out, {"a": 10, "b": 20, "c": 40})
    assert looking.done() == 0
    files.write_hint(folder / "a.progress", b"1/2")
    files.write_hint(folder / "b.progress", b"1/4")
    files.write_hint(folder / "stranger.progress", b"1/1")
    assert looking.done() == 5 + 5
    for half_written in (b"", b"1", b"1/", b"/2", b"1/0", b"\xff/2"):
        files.write_hint(folder / "b.progress", half_written)
        assert looking.done() == 5 + 5
    files.write_hint(folder / "b.progress", b"3/4")
    looking.finish("a")
    files.remove(folder / "a.progress")
    assert looking.done() == 10 + 15


def test_progress_that_cannot_be_written_or_read_is_nobodys_concern(
    server: Server, clock: Callable[[float], None]
) -> None:
    out = files.location(server.bucket("hints") + "/a")
    report = cohort.file_progress(out / directory.CHECKPOINTS / "a.progress")
    with server.failing(refused="hints"):
        clock(10)
        report(1, 2)
        assert watch.Watch(out, {"a": 10}).done() == 0
    with pytest.raises(ArchiveError, match="does not exist"):
        files.read(out / directory.CHECKPOINTS / "a.progress")
