"""What members predict for the test images, as their files hold it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt16

from masklab import archive as archives
from masklab.analysis.design import Design
from masklab.errors import ArchiveError


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted classes of the members whose predictions are known, in the data set's order of test images.

    Attributes:
        archive: Where they are stored.
        design: The members whose predictions are known.
        places: Their places in the design that was asked for.
        classes: Predicted class of each image.
        labels: Number of classes that there are.
        left_out: Population → its members whose predictions are not known; only where there are some.
    """

    archive: archives.Archive
    design: Design
    places: Int64[np.ndarray, " members"]
    classes: UInt16[np.ndarray, "members images"]
    labels: int
    left_out: dict[str, int]

    @property
    def images(self) -> int:
        """Number of test images."""
        return self.classes.shape[1]

    def probabilities(
        self, members: Sequence[int] | Int64[np.ndarray, " chosen"], images: Int64[np.ndarray, " images"]
    ) -> Float32[np.ndarray, "chosen images classes"]:
        """Predicted probabilities of some members for some images, scaled to the sum 1 that float16 missed.

        Args:
            members: Places in `design`.
            images: Numbers of images.

        Raises:
            ArchiveError: A member's probabilities are damaged, of another shape, or no probabilities.
        """
        found = np.empty((len(members), len(images), self.labels), dtype=np.float32)
        for at, place in enumerate(members):
            member = self.archive.member(self.design.ids[place])
            stored, expected = member.probability(), (self.images, self.labels)
            if stored.shape != expected:
                raise ArchiveError(
                    f"{member.path}: prediction/probability is {list(stored.shape)}, not {list(expected)}"
                )
            chosen = stored[images].astype(np.float32)
            total = chosen.sum(axis=1, keepdims=True)
            if not (np.isfinite(total).all() and chosen.min(initial=0) >= 0 and total.min(initial=1) > 0):
                raise ArchiveError(
                    f"{member.path}: prediction/probability must be numbers ≥ 0, not all 0 for an image"
                )
            found[at] = chosen / total
        return found


def read(archive: archives.Archive, design: Design) -> Predictions:
    """The predicted classes of all members that have some; the others are left out and counted.

    Args:
        archive: Where they are stored.
        design: The members to be compared.

    Raises:
        ArchiveError: A member is damaged, or predicts for another number of images or unknown classes.
    """
    data = archive.study["data"]
    tested, labels = data.get("test"), len(data["classes"])
    places, rows = [], []
    left_out: dict[str, int] = {}
    for place, own in enumerate(design.ids):
        member = archive.member(own)
        found = member.prediction()
        if not len(found):
            name = design.names[design.population[place]]
            left_out[name] = left_out.get(name, 0) + 1
            continue
        tested = len(found) if tested is None else tested
        if len(found) != tested:
            raise ArchiveError(f"{member.path}: {len(found)} predictions for {tested} test images")
        if found.max() >= labels:
            raise ArchiveError(f"{member.path}: predicts class {found.max()}; there are {labels} classes")
        places.append(place)
        rows.append(found.astype(np.uint16))
    classes = np.stack(rows) if rows else np.zeros((0, 0), np.uint16)
    kept = np.array(places, dtype=np.int64)
    return Predictions(archive, design.only(kept), kept, classes, labels, left_out)
