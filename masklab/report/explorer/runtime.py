"""The JavaScript that draws: Vega, Vega-Lite and vega-embed in one text, from the installed vl-convert."""

from functools import cache

VEGA_LITE = "6.4"
"""Version of the grammar that Altair writes."""


@cache
def runtime() -> str:
    """A script that sets `window.vegaEmbed` and nothing else; the same text every time.

    Bundling takes seconds in its first call and leaves Python's lock alone, so a thread can do it early.

    Source:
        https://github.com/vega/vl-convert, `javascript_bundle`.
    """
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    # the bundle declares hundreds of short names, which the page's own scripts must not meet
    return f"(() => {{\n{bundle}\n}})();\n"
