"""One function per verb: from files to files."""

import json
from pathlib import Path
from typing import Any

from masklab.archive import Archive
from masklab.progress import Listener, Silent
from masklab.study import Study
from masklab.training import run as training


def default_directory(study: Study) -> Path:
    """Where a study is stored unless the user says: `runs/<study.name>`."""
    return Path("runs") / "".join(c if c.isalnum() or c in "+-_." else "-" for c in study.study.name).lstrip(".")


def train(
    study: Study,
    out: Path,
    *,
    jobs: int = 0,
    device: str = "auto",
    retry_failed: bool = False,
    listener: Listener | None = None,
) -> training.Outcome:
    """Train the members that the directory lacks (see `masklab.training.run.train`)."""
    return training.train(
        study, out, jobs=jobs, device=device, retry_failed=retry_failed, listener=listener or Silent()
    )


def show(directory: Path) -> dict[str, Any]:
    """Populations and members of a directory, JSON-able.

    Raises:
        ArchiveError: There is no study, or a member file is damaged.
    """
    archive = Archive(directory)
    members = archive.members
    populations = []
    for population in archive.study["populations"]:
        own = members[members["population"] == population["name"]] if len(members) else members
        failed = [i for i in archive.failures if i.rpartition("/")[0] == population["name"]]
        populations.append(
            {
                "population": population["name"],
                "pruner": population["pruner"],
                "density": population["density"],
                "members": population["members"],
                "stored": len(own),
                "failed": len(failed),
                "accuracy_mean": float(own["accuracy"].mean()) if len(own) else None,
                "accuracy_sd": float(own["accuracy"].std()) if len(own) > 1 else None,
                "refresh_events": int(own["refresh_events"].max()) if len(own) else 0,
            }
        )
    study = archive.study
    return {
        "study": study["name"],
        "data": study["data"]["name"],
        "network": f"{study['network']['name']} × {study['network']['width']:g}",
        "populations": populations,
        "members": json.loads(members.reset_index(names="id").to_json(orient="records")) if len(members) else [],
        "failures": [{"id": member, "cause": f["cause"], "step": f["step"]} for member, f in archive.failures.items()],
    }
