"""Train one stored member again, from what its file says, and compare the masks."""

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from masklab import data as datasets
from masklab import networks, progress
from masklab.archive import Archive, Member, files
from masklab.errors import ArchiveError, ConfigError, DataError
from masklab.progress import Listener
from masklab.training import device as devices

if TYPE_CHECKING:
    from masklab.training.cohort import Trainer

_FIELDS = {
    "training": dict,
    "seeds": dict,
    "cohort.indices": list,
    "cohort.engine": str,
    "cohort.precision": str,
    "cohort.device": str,
    "cohort.threads": int,
    "cohort.torch": str,
    "network.input_shape": list,
    "data.name": str,
    "data.digest": str,
    "data.validation_fraction": float,
}


@dataclass(frozen=True)
class Verdict:
    """How a member that was trained again compares with the stored one.

    Attributes:
        member: Its id.
        differing: Layer name → (mask bits that differ, bits).
        same_weights: Whether the base weights are equal bit for bit.
        accuracy: Test accuracy, stored and now.
        circumstances: What is different here, e.g. another torch.
    """

    member: str
    differing: dict[str, tuple[int, int]]
    same_weights: bool
    accuracy: tuple[float, float]
    circumstances: list[str]

    @property
    def identical(self) -> bool:
        """Whether mask and base weights are bit-identical."""
        return self.same_weights and not any(bits for bits, _ in self.differing.values())

    def text(self) -> str:
        """The verdict in words."""
        bits, size = (sum(pair[at] for pair in self.differing.values()) for at in (0, 1))
        here = f" ({'; '.join(self.circumstances)})" if self.circumstances else ""
        if self.identical:
            return f"{self.member}: bit-identical, {size} mask bits in {len(self.differing)} layers{here}"
        lines = [
            f"{self.member}: differs in {bits} of {size} mask bits (Hamming {bits / size:.6f}), base weights "
            f"{'equal' if self.same_weights else 'differ'}, accuracy {self.accuracy[0]:.4f} stored, "
            f"{self.accuracy[1]:.4f} now{here}"
        ]
        return "\n".join(lines + [f"  {name}: {n} of {of}" for name, (n, of) in self.differing.items() if n])


def reproduce(out: files.Location, member_id: str, listener: Listener) -> Verdict:
    """Train a stored member again with the cohort, engine and precision that its file records.

    The whole cohort is trained, because batched arithmetic depends on who shares the batch; nothing in the
    directory is touched.

    Args:
        out: The study's directory; only the place of its data set is taken from `study.json`.
        member_id: `<population>/<index>`.
        listener: Told how far it is.

    Raises:
        ArchiveError: There is no such member, its file is damaged, or it does not say how it was trained.
        ConfigError: It was trained on a GPU, and there is none here.
        DataError: The data set is not the one that it was trained on.
    """
    archive, member, data = checked(out, member_id)
    trainer = _trainer(archive, member, data)
    epochs = member.facts["training"]["epochs"]
    listener.begin(progress.members("train", len(member.facts["cohort"]["indices"])), epochs)
    try:
        trainer.train(lambda done, total: listener.advance(done))
    finally:
        listener.end()
    return _compare(member, trainer)


def checked(out: files.Location, member_id: str) -> tuple[Archive, Member, datasets.Data]:
    """A member that can be trained again here, and its data set.

    Args:
        out: See `reproduce`.
        member_id: See `reproduce`.

    Raises:
        ArchiveError: See `reproduce`.
        ConfigError: See `reproduce`; or it was imported.
        DataError: See `reproduce`.
    """
    archive = Archive(out)
    member = archive.member(member_id)
    if "imported" in member.facts:
        raise ConfigError(
            f"{member_id} was imported: how it was trained is not known, so it cannot be repeated"
        )
    files.require(member.facts, _FIELDS, member.path)
    stored, facts = archive.study["data"], member.facts
    data = datasets.load(stored["name"], stored["path"])
    if datasets.content_digest(data) != facts["data"]["digest"]:
        raise DataError(f"data set {stored['name']!r} is not the one that {member_id} was trained on")
    if facts["cohort"]["device"] == "cuda" and devices.resolve("auto") != "cuda":
        raise ConfigError(f"{member.id} was trained on a GPU, and torch sees none here")
    if facts["index"] not in facts["cohort"]["indices"]:
        raise ArchiveError(f"{member.path}: its cohort does not hold it")
    return archive, member, data


def trained_together(member: Member) -> list[int]:
    """Indices of the members that are trained again with it: controls that others give stand alone."""
    facts = member.facts
    return facts["cohort"]["indices"] if facts["options"].get("of") is None else [facts["index"]]


def _trainer(archive: Archive, member: Member, data: datasets.Data) -> "Trainer":
    from masklab.training import task

    facts = member.facts
    plan = facts["cohort"]
    devices.prepare(plan["device"], plan["threads"])
    layers = [{"name": o.name, "shape": list(o.shape), "size": o.size} for o in member.layers]
    record: dict[str, Any] = {
        "seeds": facts["seeds"],
        "network_source": facts.get("network_source"),
        "training": facts["training"],
        "snapshots": [],
        "data": {**facts["data"], "input_shape": facts["network"]["input_shape"]},
        "network": {"unmasked": [], "buffers": [], **facts["network"], "layers": layers},
    }
    of = facts["options"].get("of")
    cohort = {"indices": trained_together(member)}
    sources = [archive.member(f"{of}/{facts['index']:04d}")] if of is not None else []
    return task.make_trainer(record, plan, facts, cohort, data, sources)


def _compare(member: Member, trainer: "Trainer") -> Verdict:
    from masklab.training import content

    state = trainer.cohort
    indices = member.facts["cohort"]["indices"] if len(state.levels) > 1 else [member.facts["index"]]
    position = indices.index(member.facts["index"])
    masks, weights = member.mask(), member.weights()
    differing, same, final = {}, True, state.masks()
    for layer, mask in zip(state.layers, final, strict=True):
        now = mask[position].cpu().numpy()
        before = masks[layer.layer.name].reshape(-1)
        differing[layer.layer.name] = (int(np.count_nonzero(now != before)), before.size)
        base = layer.weight[position].cpu().numpy()
        same &= base.tobytes() == weights[layer.layer.name].tobytes()
    again = content.of_member({"keep_scores": "none"}, trainer, member.facts, final, position)
    torch_now = metadata.version("torch")
    circumstances = []
    if member.facts["cohort"]["torch"] != torch_now:
        circumstances.append(f"trained with torch {member.facts['cohort']['torch']}, here {torch_now}")
    settings = networks.Settings.of(member.facts["network"])
    if member.facts.get("network_source") != networks.source_digest(settings):
        circumstances.append(f"the file of {settings.name} is not the one that it was trained with")
    predicted = again.facts["accuracy"]["test"]
    return Verdict(member.id, differing, same, (member.facts["accuracy"]["test"], predicted), circumstances)
