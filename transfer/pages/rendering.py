"""A template and values → a page: the one place that knows the template library."""

from __future__ import annotations

import jinja2

from transfer.pages.plots import COLOURS
from transfer.pages.wording import percent, without_place, without_places


def render(template: str, **values: object) -> str:
    """Fill a template of `transfer/pages/templates` as HTML; a missing value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("transfer.pages"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {each.__name__: each for each in (percent, without_place, without_places)}
    # Headings add themselves to the contents, see `parts.html`.
    return environment.get_template(template).render(values, contents=[], colours=COLOURS)
