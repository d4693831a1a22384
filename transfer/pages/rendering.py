"""A template and values → a page: the one place that knows the template library."""

from __future__ import annotations

import jinja2


def render(template: str, **values: object) -> str:
    """Fill a template of `transfer/pages/templates` as HTML; a missing value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("transfer.pages"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
