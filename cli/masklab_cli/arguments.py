"""What the words of a command line mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from masklab.errors import ConfigError

if TYPE_CHECKING:
    from masklab.archive.files import Location
    from masklab.study import Study
    from masklab.training import shards


def options(
    workers: dict[str, Any],
    shard: str | None,
    device: str,
    engine: str,
    precision: str | None,
    threads: int | None,
    checkpoint: float,
    retry_failed: bool,
) -> dict[str, Any]:
    """Options of a training, by the names of `stages.train`.

    Raises:
        ConfigError: The shard is none.
    """
    from masklab.training import shards

    return {
        **workers,
        "shard": shards.WHOLE if shard is None else shards.parse(shard),
        "device": device,
        "engine": engine,
        "precision": precision,
        "threads": threads,
        "checkpoint_s": checkpoint,
        "retry_failed": retry_failed,
    }


def workers(
    backend: str, address: str | None, jobs: int, gpus_per_job: float | None = None
) -> dict[str, Any]:
    """Where tasks run, by the names of `stages.train`.

    Raises:
        ConfigError: There are no such workers.
    """
    from masklab import parallel

    parallel.Workers(backend, address, jobs, gpus_per_job).check()
    return {"backend": backend, "address": address, "jobs": jobs, "gpus_per_job": gpus_per_job}


def part(shard: str | None, merge: bool) -> "shards.Shard | None":
    """Part of an analysis; None: all of it.

    Raises:
        ConfigError: The shard is none, or the parts are to be put together at the same time.
    """
    from masklab.training import shards

    if shard is None:
        return None
    if merge:
        raise ConfigError("give --shard for each part, or --merge once all are there, not both")
    return shards.parse(shard)


def changes(assignments: list[str]) -> dict[str, str]:
    """Field → value of every `--set FIELD=VALUE`.

    Raises:
        ConfigError: One is no assignment.
    """
    found = {}
    for assignment in assignments:
        field, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: expected FIELD=VALUE, e.g. training.epochs=5")
        found[field.strip()] = value.strip()
    return found


def study(
    path: Path | None,
    options: dict[str, object],
    pruner: list[str],
    density: list[str],
    assignments: list[str],
) -> "Study":
    """The study of a file, or of options; every pruner at every density.

    Raises:
        ConfigError: Both are given, or neither, or the study is not valid.
    """
    from masklab import study as studies

    given = {name: value for name, value in options.items() if value is not None}
    if path is not None:
        if given or pruner or density:
            clash = [*given, *(["pruner"] if pruner else []), *(["density"] if density else [])]
            raise ConfigError(
                f"give a study file or --{clash[0]}, not both (--set changes a field of the file)"
            )
        return studies.read(path, changes(assignments))
    if not pruner or not density:
        raise ConfigError("give a study file, or at least one --pruner and one --density")
    return studies.from_options(given, pruner, density, changes(assignments))


def size(option: str, text: str) -> int:
    """A size such as `2GB` or `512MiB` in bytes.

    Raises:
        ConfigError: It is none.
    """
    import pydantic

    try:
        return pydantic.TypeAdapter(pydantic.ByteSize).validate_python(text)
    except pydantic.ValidationError as error:
        raise ConfigError(f"{option} {text}: not a size; give e.g. 2GB or 512MiB") from error


def landscape(budget: str | None, paths: str | None, device: str) -> dict[str, Any]:
    """Options of the landscape, by the names of `stages.plan_landscape`.

    Raises:
        ConfigError: The budget is none, or no path is named.
    """
    from masklab.landscape import budget as budgets

    found: dict[str, Any] = {"device": device}
    if budget is not None:
        found["budget"] = budgets.parse(budget)
    if paths is not None:
        found["paths"] = tuple(name.strip() for name in paths.split(",") if name.strip())
    return found


def location(text: str) -> "Location":
    """A path or URL.

    Raises:
        ConfigError: The URL cannot be used.
    """
    from masklab.archive import files

    return files.location(text)


def directory(out: str | None, study: "Study") -> "Location":
    """Where a study goes: what was given, or its default.

    Raises:
        ConfigError: It is empty, or a URL that cannot be used.
    """
    from masklab import stages

    if out is None:
        return stages.default_directory(study)
    if not out.strip():
        raise ConfigError("--out is empty; give a directory, or leave it out")
    return location(out)
