"""Small random studies: masks, populations, seeds and weight draws, for comparison with plain loops."""

import numpy as np
from hypothesis import strategies as st

from masklab.analysis import design


def members(counts, draws=1, unpaired=()):
    """A design of populations `{name: member indices}`; member i uses draw i mod `draws`."""
    ids = [f"{name}/{index:04d}" for name, indices in counts.items() for index in indices]
    return design.make(ids, {member: int(member[-4:]) % draws for member in ids}, unpaired=unpaired)


@st.composite
def studies(draw):
    """`(masks, arguments of members)`: up to three populations and draws, layers of any kept counts."""
    counts = {
        name: sorted(draw(st.sets(st.integers(0, 8), min_size=1, max_size=7)))
        for name in "abc"[: draw(st.integers(1, 3))]
    }
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    masks = {}
    for at in range(draw(st.integers(1, 3))):
        size, density = draw(st.integers(1, 40)), draw(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]))
        masks[f"layer{at}"] = random.random_sample((sum(map(len, counts.values())), size)) < density
    return masks, (counts, draw(st.integers(1, 3)), draw(st.sampled_from([(), ("a",)])))


def groups(found, block):
    """Places of the members of each `(population, draw)`, or `(population, None)` over all draws."""
    cells: dict = {}
    for at, population in enumerate(found.population):
        key = (int(population), int(found.block[at]) if block == "within" else None)
        cells.setdefault(key, []).append(at)
    return cells
