import re

import pytest
from markupsafe import Markup

from masklab import progress
from masklab.report import drawing, load, style

from .conftest import Page


@pytest.fixture(scope="module")
def analysis(plain: Page) -> load.Analysis:
    return load.read(plain.study)


def test_workers_draw_the_same_bytes_as_one_process(analysis: load.Analysis) -> None:
    keyed, theme = {"s1": analysis}, style.theme([analysis])
    here, elsewhere = (
        drawing.gathered(drawing.begin(keyed, theme, jobs=jobs), progress.Silent(), keyed)["s1"]
        for jobs in (1, 2)
    )
    assert here == elsewhere
    assert len(here) > 15


def test_few_members_are_drawn_without_workers(
    analysis: load.Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(drawing.parallel, "run", lambda function, calls, jobs: asked.append(jobs) or iter(()))
    monkeypatch.setattr(drawing.parallel, "cores", lambda: 2)
    drawing.begin({"s1": analysis}, style.theme([analysis]), jobs=0)
    results = analysis.results.model_copy(update={"members": analysis.results.members * 5})
    large = load.Analysis(analysis.directory, results, None, analysis.surfaces)
    drawing.begin({"s1": large}, style.theme([large]), jobs=0)
    assert asked == [1, 2]


def test_everything_in_the_colour_of_a_population_bears_its_class(analysis: load.Analysis) -> None:
    theme = style.theme([analysis])
    drawn = drawing.draw(analysis, theme, "s1", ["accuracy"])[1]["accuracy"].svg
    assert drawn is not None
    for place, colour in enumerate(theme.colours.values()):
        tags = [tag for tag in re.findall(r"<(?:path|use)[^>]*>", drawn) if colour in tag]
        assert tags
        assert all(f'class="p{place}"' in tag for tag in tags)
    assert not re.search(r'class="p3"', drawn)


def test_the_name_of_a_population_bears_its_class_and_nothing_else_does() -> None:
    theme = style.Theme({'a-1<b"': "#112233", "a-1": "#445566", "random": "#778899", "0.5": "#123456"})
    texts = ('<text x="1">a-1&lt;b"</text>', "<text>a-1</text>", "<text>a-1b</text>", "<text>#445566</text>")
    words = "<text>random</text><text>0.5</text>"  # these may be words and numbers of a figure
    drawn = Markup(f"<svg>{''.join(texts)}{words}</svg>")  # noqa: S704  made here
    named = ('<text class="p0" x="1">a-1&lt;b"</text>', '<text class="p1">a-1</text>', *texts[2:])
    assert style.classed(drawn, theme) == f"<svg>{''.join(named)}{words}</svg>"


def test_what_is_drawn_in_ink_can_be_of_a_population() -> None:
    theme = style.Theme({"a": "#112233", "b": "#445566"})
    drawn = Markup('<g id="s1-accuracy-of-1"><path/></g><g id="s1-line_1"/>')
    assert style.owner(theme, "b") == "of-1"
    assert style.classed(drawn, theme) == '<g class="p1"><path/></g><g id="s1-line_1"/>'


def test_the_first_colour_of_a_population_decides() -> None:
    theme = style.Theme({"a": "#112233"})
    drawn = Markup('<path d="M 0" style="fill: #445566; stroke: #112233; stroke-width: 1"/>')
    assert style.classed(drawn, theme).startswith('<path class="p0" d="M 0" style="fill')
    assert style.classed(Markup('<path d="#112233" style="fill: none"/>'), theme) == (
        '<path d="#112233" style="fill: none"/>'
    )


def test_the_palette_is_that_of_seaborn() -> None:
    import seaborn

    names = [f"p{place}" for place in range(10)]
    assert list(style.colours(names).values()) == seaborn.color_palette("colorblind", 10).as_hex()
    many = style.colours([*names, "p10"])
    assert len(set(many.values())) == 11
