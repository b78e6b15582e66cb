"""A page of explorers alone: their template, styles and scripts, under the page's content policy."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

from masklab.report import explorer, load, payload, style

_SCRIPTS = ("core", "explorer_views", "explorer_drawing", "explorer", "start")
_STYLES = ("style", "explorer")
_PAGE = """{% from "explorer.html.jinja" import explorer %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src {{ hashes | join(" ") }}; \
style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>explorers</title>
<link rel="icon" href="data:,">
<style>{{ css | safe }}</style>
</head>
<body>
<main>
<h1>Explorers</h1>
<div style="height: {{ above }}px"></div>
{% for key, made in explorers.items() %}
<section id="{{ key }}-explorer" aria-labelledby="{{ key }}-explorer-title">
<h2 id="{{ key }}-explorer-title">Explorer of {{ made.document.study }}</h2>
{{ explorer(key, made) }}
</section>
{% endfor %}
</main>
<p id="status" role="status"></p>
<script type="application/json" id="populations">{{ names | tojson }}</script>
<script type="application/gzip" id="payload">{{ payload }}</script>
<script type="application/gzip" id="vega">{{ vega }}</script>
<script>{{ js | safe }}</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Explored:
    """A written page, and the explorers in it by their sections."""

    path: Path
    made: dict[str, explorer.Explorer]


def write(
    path: Path, analyses: Sequence[load.Analysis], *, above: int = 0, runtime: str | None = None
) -> Explored:
    """A page of the explorers of some studies.

    Args:
        path: Where it is written.
        analyses: The studies; each of them must have an explorer.
        above: Pixels of nothing before the first one.
        runtime: What the page carries in place of the drawing code; its hash is not in the policy.
    """
    theme = style.theme(analyses)
    found = {f"s{at}": explorer.make(analysis, theme, f"s{at}") for at, analysis in enumerate(analyses, 1)}
    made = {key: one for key, one in found.items() if one}
    assert len(made) == len(analyses)
    script = "\n".join(_asset(f"js/{name}.js") for name in _SCRIPTS)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("masklab.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.from_string(_PAGE).render(
        explorers=made,
        hashes=[_hash(script), _hash(explorer.runtime())],
        names=list(theme.colours),
        css="\n".join(_asset(f"{name}.css") for name in _STYLES),
        js=script,
        payload=payload.pack({"explorers": {key: one.document for key, one in made.items()}}),
        vega=payload.compress((explorer.runtime() if runtime is None else runtime).encode()),
        above=above,
    )
    path.write_text(html, encoding="utf-8")
    return Explored(path, made)


def _asset(name: str) -> str:
    return (resources.files("masklab.report") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
