"""A page of tables alone: the template, styles and scripts of tables, under the page's content policy."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jinja2

from masklab.report import payload, tables, virtual

_SCRIPTS = ("core", "rows", "tables", "virtual", "start")
_STYLES = ("style", "tables")
_PAGE = """{{% from "tables.html.jinja" import sortable %}}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-{digest}'; \
style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'">
<title>tables</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<main>
<h1>Tables</h1>
{{% for table in tables %}}
{{% if folded %}}<details><summary>{{{{ table.key }}}}</summary>{{% endif %}}
{{{{ sortable(table) }}}}
{{% if folded %}}</details>{{% endif %}}
{{% endfor %}}
{{% if explored %}}<section id="{{{{ explored }}}}-explorer"></section>{{% endif %}}
</main>
<p id="status" class="unseen" role="status"></p>
<script type="application/json" id="populations">{{{{ populations | tojson }}}}</script>
<script type="application/gzip" id="payload">{{{{ payload }}}}</script>
<script>{script}</script>
</body>
</html>
"""


def environment(populations: Sequence[str]) -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("masklab.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    virtual.equip(found, populations)
    return found


def write(
    path: Path,
    shown: Sequence[tables.Table],
    populations: Sequence[str] = (),
    explored: str = "",
    *,
    folded: bool = False,
) -> Path:
    """A page of some tables, each folded away or none; `explored` is the section that has an explorer."""
    made = environment(populations)
    script = "\n".join(_asset(f"js/{name}.js") for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = "\n".join(_asset(f"{name}.css") for name in _STYLES)
    source = _PAGE.format(digest=digest, style=_raw(style), script=_raw(script))
    carried = {"tables": {table.key: rows for table in shown if (rows := virtual.rows(made, table))}}
    html = made.from_string(source).render(
        tables=shown,
        populations=list(populations),
        explored=explored,
        folded=folded,
        payload=payload.pack(carried),
    )
    path.write_text(html, encoding="utf-8")
    return path


def broken(path: Path) -> Path:
    """The same page, its payload damaged."""
    html = path.read_text(encoding="utf-8")
    head, start, rest = html.partition('id="payload">')
    _, end, tail = rest.partition("</script>")
    worse = path.with_name("broken.html")
    worse.write_text(head + start + "H4sIAAAA" + end + tail, encoding="utf-8")
    return worse


def _asset(name: str) -> str:
    return (resources.files("masklab.report") / "assets" / name).read_text(encoding="utf-8")


def _raw(text: str) -> str:
    return "{% raw %}" + text + "{% endraw %}"
