"""What a verification would read."""

from dataclasses import dataclass

from masklab import networks
from masklab.archive import directory, files, looking, study_file
from masklab.errors import ArchiveError
from masklab.stages.dry import places

_CHECKED = (".json", ".npz", ".csv")


@dataclass(frozen=True)
class Check:
    """What a verification would read.

    Attributes:
        members: Member files.
        others: Other files.
        bytes: What all of them hold.
        rebuilt: Members that would be rebuilt and compared with their predictions.
        why: Why none would be; empty where some are.
    """

    members: int
    others: int
    bytes: int
    rebuilt: int
    why: str


@looking.only()
def verify(out: files.Location, *, sample: int = 8, trust: bool = False) -> Check:
    """What `stages.verify` would read; files are listed, and none but `study.json` is opened.

    Args:
        out: See `stages.verify`.
        sample: See `stages.verify`.
        trust: See `stages.verify`.

    Raises:
        ArchiveError: `out` is no study's directory, or cannot be listed.
    """
    from masklab.training import verify as verification

    if not files.exists(out):
        raise ArchiveError(f"{out} does not exist; give the --out of a `masklab train`")
    members, failures = [], []
    for name in files.folders(out / directory.MEMBERS):
        for file in sorted(files.listing(out / directory.MEMBERS / name)):
            match = verification._FILE.fullmatch(file)
            if match and match[2] == "safetensors":
                members.append((name, int(match[1])))
            elif match:
                failures.append(out / directory.MEMBERS / name / file)
    analysis = out / directory.ANALYSIS
    others = [out / name for name in (directory.STUDY, directory.PLAN, directory.REPORT)]
    others = [own for own in others if files.exists(own)] + failures
    others += [analysis / name for name in files.listing(analysis) if (analysis / name).suffix in _CHECKED]
    read = [*others, *(directory.member_path(out, *own) for own in members)]
    number, why = _rebuilt(out, sorted(members), sample, trust)
    return Check(len(members), len(others), sum(map(places.size, read)), number, why)


def _rebuilt(
    out: files.Location, members: list[tuple[str, int]], sample: int, trust: bool
) -> tuple[int, str]:
    """How many members would be rebuilt; where none, why."""
    from masklab.training import verify as verification

    try:
        study = study_file.read_study(out)
    except ArchiveError as error:
        return 0, str(error)
    foreign = {row["name"] for row in study["populations"] if "imported" in row}
    chosen = verification._chosen([own for own in members if own[0] not in foreign], sample)
    if not chosen:
        return 0, "imported masks have no predictions" if foreign and sample else ""
    if networks.runs_code(study["network"]["name"]) and not trust:
        return 0, f"network {study['network']['name']} is code of its own, which --trust runs"
    report = verification.Report()
    if verification._test_data(study, report) is None:
        return 0, "; ".join(report.notes)
    return len(chosen), ""
