"""A few thousand broken files in each run of the tests, and that the fuzzer finds what it looks for."""

import subprocess
import sys
from pathlib import Path

import pytest

from masklab.archive import Member
from masklab.errors import ArchiveError

from . import changed, fuzz


def test_broken_files_are_read_or_refused(tmp_path: Path) -> None:
    """Without type checks, as users run it: whatever those would find is found by masklab itself."""
    findings = tmp_path / "findings"
    arguments = ["--files", "3000", "--seed", "7", "--findings", str(findings)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.archive.fuzz", *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    told = (findings / "findings.txt").read_text() if findings.exists() else ""
    assert (done.returncode, told, done.stderr) == (0, "", "")
    assert "3000 files in" in done.stdout
    for kind in ("bytes", "header", "frames"):  # every kind reaches both ends
        assert f"_mutate_{kind}: refused" in done.stdout
        assert f"_mutate_{kind}: sound" in done.stdout


def test_what_is_mutated_is_sound(tmp_path: Path) -> None:
    origins, codecs, formats = set(), set(), set()
    for data in fuzz.sound_files():
        path = tmp_path / "member"
        path.write_bytes(data)
        stored = changed.read_everything(path)
        assert fuzz.read(path) == ("sound", "")
        formats.add(stored.facts["format"])
        origins |= {layer.origin for layer in stored.layers}
        codecs |= {layer.codec for layer in stored.layers}
    assert formats == {1, 2}
    assert codecs == {"bitmap", "gaps", "golomb"}
    assert origins == {None, "event", "position", "trained", "stored", "absent"}


def test_a_file_follows_from_seed_and_number() -> None:
    sound = fuzz.sound_files()
    drawn = [fuzz.mutated(seed, number, sound) for seed in (1, 2) for number in range(20)]
    assert drawn == [fuzz.mutated(seed, number, sound) for seed in (1, 2) for number in range(20)]
    assert len({data for _, data in drawn}) > 30


def _refuse(message: str) -> None:
    raise ArchiveError(message)


@pytest.mark.parametrize(
    ("step", "wrong"),
    [
        (lambda: 3, ""),
        (lambda: _refuse("x is damaged"), ""),
        (lambda: _refuse("two\nlines"), "message of 9 characters: 'two\\nlines'"),
        (lambda: _refuse("x" * 2000), "message of 2000 characters"),
        (lambda: 1 // 0, "ZeroDivisionError('integer division or modulo by zero')"),
        (lambda: {}["x"], "KeyError('x')"),
    ],
)
def test_the_fuzzer_tells_refusals_from_findings(step: object, wrong: str) -> None:
    found = fuzz._step(step)[1]  # type: ignore[arg-type]
    assert found.startswith(wrong)
    assert bool(found) == bool(wrong)


def test_a_finding_is_kept_with_its_seed_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "MESSAGE", 10)  # then every refusal is a finding
    counts = fuzz.run(30, 5, 1e9, tmp_path / "findings", tmp_path)
    lines = (tmp_path / "findings" / "findings.txt").read_text().splitlines()
    assert len(lines) == counts["findings"] > 0
    name = lines[0].split()[0]
    kept = tmp_path / "findings" / f"{name}.safetensors"
    assert kept.read_bytes() == fuzz.mutated(5, int(name.split("-")[1]), fuzz.sound_files())[1]
    with pytest.raises(ArchiveError):
        Member(kept).verify()


def test_a_changed_file_that_looks_sound_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = fuzz.sound_files()[0].replace(b'"fc', b'"fd')
    monkeypatch.setattr(fuzz, "mutated", lambda *_: ("_mutate_bytes", other))
    assert fuzz.run(1, 1, 1e9, tmp_path / "findings", tmp_path)["findings"] == 0
    document, tensors = changed.parts(fuzz.sound_files()[0])
    other = changed.forged({**document, "index": 9}, tensors)
    assert fuzz.run(1, 1, 1e9, tmp_path / "findings", tmp_path)["findings"] == 1


def test_the_fuzzer_stops_in_time(tmp_path: Path) -> None:
    counts = fuzz.run(10**9, 1, 0.2, tmp_path / "findings", tmp_path)
    assert 0 < sum(counts.values()) < 10**6
