"""Check a directory file by file, and a sample of its members against their stored predictions."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from masklab import data as datasets
from masklab import networks, parallel, progress
from masklab.archive import Archive, Member, catalogue, directory, files, local, study_file
from masklab.errors import ArchiveError, ConfigError, DataError, MasklabError
from masklab.progress import Listener
from masklab.training import device as devices
from masklab.training import plan as plans

CLOSE = 1e-3
"""Difference of the two best logits below which another machine may see another class."""

_BATCH = 4  # members per task
_FILE = re.compile(r"([0-9]{4,9})\.(safetensors|failed\.json)")


@dataclass
class Report:
    """What a verification found.

    Attributes:
        checked: Number of member files that were read whole.
        compared: Number of members that were rebuilt and whose predictions were compared.
        failed: Number of members whose failure is on record.
        problems: One line for each thing that is missing or damaged, the file first.
        notes: What could not be checked, and why.
    """

    checked: int = 0
    compared: int = 0
    failed: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The summary in one line."""
        found = "no problem" if not self.problems else progress.plural(len(self.problems), "problem")
        failures = f", {progress.plural(self.failed, 'failure')} on record" if self.failed else ""
        return (
            f"{progress.plural(self.checked, 'member file')} checked, {self.compared} rebuilt and compared"
            f"{failures}: {found}"
        )


def verify(out: files.Location, sample: int, trust: bool, jobs: int, listener: Listener) -> Report:
    """Read every file of a study, and rebuild some members to compare their predictions.

    Every tensor is held against its checksum, every mask against its count, base weights and masks against
    the member's digest. Members of the sample are spread over the populations; they are evaluated as their
    files say, on the study's test images.

    Args:
        out: The study's directory.
        sample: Members to rebuild; negative: all.
        trust: Whether a network may be rebuilt that a file of the user's defines, which runs that file.
        jobs: Worker processes; 0 = one per core.
        listener: Told how far it is.

    Raises:
        ArchiveError: `out` is no study's directory, or cannot be listed.
    """
    if not files.exists(out):
        raise ArchiveError(f"{out} does not exist; give the --out of a `masklab train`")
    report = Report()
    study = _study(out, report)
    stored = sorted(_take_stock(out, study, report))
    foreign = {row["name"] for row in study["populations"] if "imported" in row} if study else set()
    rebuilt = _chosen([own for own in stored if own[0] not in foreign], sample)
    if rebuilt and study and networks.runs_code(study["network"]["name"]) and not trust:
        name = study["network"]["name"]
        report.notes.append(f"no member was rebuilt: network {name} is code of its own, which --trust runs")
        rebuilt = []
    data = _test_data(study, report) if rebuilt else None
    if foreign and sample:
        report.notes.append(f"imported masks have no predictions to compare: {', '.join(sorted(foreign))}")
    tasks: list[tuple[Any, ...]] = [
        (out, stored[start : start + _BATCH], None) for start in range(0, len(stored), _BATCH)
    ]
    if data is not None:
        tasks += [(out, [member], data) for member in rebuilt]
    listener.begin(progress.members("verify", len(stored)), max(1, len(tasks)))
    try:
        for done, found in enumerate(parallel.run(_task, tasks, jobs or parallel.cores()), start=1):
            report.problems += [problem for problem in found.problems if problem not in report.problems]
            report.notes += [note for note in found.notes if note not in report.notes]
            report.checked += found.checked
            report.compared += found.compared
            listener.advance(done)
    finally:
        listener.end()
    report.problems.sort()
    return report


def _study(out: files.Location, report: Report) -> dict[str, Any] | None:
    try:
        return study_file.read_study(out)
    except ArchiveError as error:
        report.problems.append(str(error))
        return None


def _take_stock(out: files.Location, study: dict[str, Any] | None, report: Report) -> list[tuple[str, int]]:
    """Populations and indices of the member files there are; what is wrong beside them goes to the report."""
    populations = None if study is None else {p["name"]: p["members"] for p in study["populations"]}
    if study is None or any("imported" not in row for row in study["populations"]):
        _try(report, lambda: plans.checked(out / directory.PLAN))
    for name in files.listing(out / directory.ANALYSIS):
        _try(report, lambda name=name: _check_analysis(out / directory.ANALYSIS / name))
    if files.exists(out / directory.REPORT):
        _try(report, lambda: _check_page(out / directory.REPORT))
    found: list[tuple[str, int]] = []
    for name in _folders(out, populations or {}):
        here, failed = _folder(out, name, report)
        if populations is not None:
            expected = range(populations.get(name, 0))
            if name not in populations:
                report.problems.append(f"{out / directory.MEMBERS / name} is no population of the study")
            report.problems += [
                f"{directory.member_path(out, name, index)} is missing (neither stored nor failed)"
                for index in expected
                if index not in here and index not in failed
            ]
        report.failed += len(failed - here)
        found += [(name, index) for index in here]
    return found


def _folders(out: files.Location, populations: dict[str, int]) -> list[str]:
    return sorted({*populations, *files.folders(out / directory.MEMBERS)})


def _folder(out: files.Location, name: str, report: Report) -> tuple[set[int], set[int]]:
    """Indices of the stored members of a folder, and of the failures on record."""
    folder, here, failed = out / directory.MEMBERS / name, set(), set()
    for file in files.listing(folder):
        match = _FILE.fullmatch(file)
        if file.startswith(local.TEMPORARY) and file.endswith(".tmp"):
            report.notes.append(f"{folder / file} was left by a process that was killed; training removes it")
        elif match is None or file != f"{int(match[1]):04d}.{match[2]}":
            report.problems.append(f"{folder / file} does not belong in a folder of members")
        elif match[2] == "safetensors":
            here.add(int(match[1]))
        else:
            failed.add(int(match[1]))
            _try(report, lambda file=file: _check_failure(folder / file))
    return here, failed


def _check_analysis(path: files.Location) -> None:
    if path.suffix == ".json":
        files.read_json(path)
    elif path.suffix == ".npz":
        files.read_arrays(path)
    elif path.suffix == ".csv":
        _text(path)


def _check_page(path: files.Location) -> None:
    if not _text(path).rstrip().endswith("</html>"):
        raise ArchiveError(f"{path} is cut short")


def _text(path: files.Location) -> str:
    try:
        return files.read(path).decode()
    except UnicodeDecodeError as error:
        raise ArchiveError(f"{path} is not UTF-8: {error}") from error


def _check_failure(path: files.Location) -> None:
    files.require(files.read_json(path), {"cause": str, "step": int}, path)


def _try(report: Report, check: Any) -> None:
    try:
        check()
    except ArchiveError as error:
        report.problems.append(str(error))


def _chosen(stored: Sequence[tuple[str, int]], sample: int) -> list[tuple[str, int]]:
    """Members to rebuild: of each population in turn, evenly spread over its members."""
    if sample < 0 or sample >= len(stored):
        return list(stored)
    by_population: dict[str, list[tuple[str, int]]] = {}
    for member in stored:
        by_population.setdefault(member[0], []).append(member)
    turns = [name for turn in range(len(stored)) for name, own in by_population.items() if turn < len(own)]
    quota = Counter(turns[:sample])
    return [
        own[at]
        for name, own in by_population.items()
        for at in np.linspace(0, len(own) - 1, quota[name]).round().astype(int)
    ]


def _test_data(study: dict[str, Any] | None, report: Report) -> tuple[np.ndarray, np.ndarray] | None:
    """Test images and labels of the study, or None with a note on why there are none."""
    try:
        if study is None:
            raise ArchiveError("the study cannot be read")
        data = study["data"]
        loaded = datasets.load(data["name"], data.get("path"))
        if datasets.content_digest(loaded) != data["digest"]:
            raise DataError(f"data set {data['name']!r} is not the one that the study was trained on")
    except (ConfigError, DataError, ArchiveError) as error:
        report.notes.append(f"no predictions were compared: {error}")
        return None
    return loaded.test_images, loaded.test_labels


def _task(
    out: files.Location, members: list[tuple[str, int]], images: tuple[np.ndarray, np.ndarray] | None
) -> Report:
    """Check some member files, or, where there are images, rebuild the members and compare."""
    report = Report()
    try:
        archive = Archive(out)
    except ArchiveError:  # said once by whoever started this; the files are read one by one
        archive = None
    for name, index in members:
        path = directory.member_path(out, name, index)
        report.checked += images is None
        try:
            member = Member(path) if archive is None else archive.member(f"{name}/{index:04d}")
            if images is None:
                member.verify()
            elif _no_gpu(member):
                report.notes.append(f"{path} was evaluated on a GPU, and torch sees none here: not rebuilt")
            else:
                _compare(member, *images, report)
                report.compared += 1
            if archive is not None and images is None and not archive.agrees(member):
                report.problems.append(f"{out / catalogue.NAME} says other things than {path}; delete it")
        except ArchiveError as error:
            report.problems.append(str(error))
        except MasklabError as error:
            report.problems.append(f"{path}: {error}")
    return report


def _no_gpu(member: Member) -> bool:
    return member.facts["evaluation"]["device"] == "cuda" and devices.resolve("auto") != "cuda"


def _compare(member: Member, images: np.ndarray, labels: np.ndarray, report: Report) -> None:
    """Rebuild a member and hold what it predicts against what its file says."""
    from masklab.training import rebuild

    logits = rebuild.repeat_predictions(member, images).numpy()
    stored, said = member.prediction(), member.facts["accuracy"]["test"]
    if len(stored) != len(logits):
        report.problems.append(f"{member.path}: {len(stored)} predictions for {len(logits)} test images")
        return
    accuracy = int((stored == labels).sum()) / len(labels)
    if accuracy != said:
        report.problems.append(f"{member.path}: its predictions give accuracy {accuracy}, it says {said}")
    second, first = np.sort(logits, axis=1)[:, -2:].T
    other, close = logits.argmax(1) != stored, first - second < CLOSE
    if np.any(other & ~close):
        number = int(np.count_nonzero(other & ~close))
        report.problems.append(
            f"{member.path}: rebuilt, it predicts other classes for {number} of {len(stored)} test images"
        )
    elif np.any(other):
        report.notes.append(
            f"{member.path}: {int(np.count_nonzero(other))} of {len(stored)} predictions differ, all where "
            f"the two best logits do by less than {CLOSE} (another processor or torch)"
        )
