"""Options and arguments that several commands take."""

from typing import Annotated

import typer

Out = Annotated[
    str | None,
    typer.Option("--out", help="directory of the study, or a URL (s3://…); default runs/<study name>"),
]
Set = Annotated[
    list[str], typer.Option("--set", metavar="FIELD=VALUE", help="replace a field, e.g. training.epochs=5")
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", min=0, help="tasks side by side; 0 = one per core or worker"),
]
Backend = Annotated[str, typer.Option("--backend", help="where tasks run: loky (this machine), dask or ray")]
Address = Annotated[
    str | None,
    typer.Option("--address", help="of a Dask scheduler or Ray cluster; default one on this machine"),
]
Gpus = Annotated[
    float | None, typer.Option("--gpus-per-job", help="share of a GPU that a task takes, e.g. 0.25")
]
Shard = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="only part I of N, for job arrays; any order, any machine"),
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda or auto")]
Engine = Annotated[
    str, typer.Option("--engine", help="vmap, loop or auto: the faster one, measured once per directory")
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, help="processor threads of a cohort, fixed per directory; default 1 on a CPU"
    ),
]
Precision = Annotated[
    str | None, typer.Option("--precision", help="fp32, or bf16 where the processor has it; default fp32")
]
Checkpoint = Annotated[
    float, typer.Option("--checkpoint", min=0, help="least seconds between two checkpoints of a cohort")
]
Retry = Annotated[bool, typer.Option("--retry-failed", help="train members again whose training failed")]
Memory = Annotated[
    str,
    typer.Option(
        "--memory", help="for masks and their pairs, e.g. 500MB; beyond it only what is linear in the members"
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="of the landscape between masks: 60s, 5min, or evaluations (networks × images) such as 1000000",
    ),
]
Paths = Annotated[
    str | None,
    typer.Option("--paths", help="paths between masks, e.g. linear,geodesic; default the study's"),
]
Merge = Annotated[
    bool, typer.Option("--merge", help="put the parts of all shards together; refuses where one is missing")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="say what would be done and what it takes; nothing is written")
]
Directory = Annotated[str, typer.Argument(metavar="DIR", help="directory of a study (its --out)")]
