"""What is wrong with a study, in one line: field, what was got, what is allowed."""

from typing import Any

import pydantic
from pydantic import BaseModel

from masklab import errors


def explain(error: pydantic.ValidationError, model: type[BaseModel], *also_known: str) -> str:
    """First problem of a validation, in one line: field, what was got, what is allowed."""
    problems = error.errors(include_url=False)
    first = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    place = ".".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = [*_fields_at(model, first["loc"][:-1]), *also_known]
        return (
            errors.unknown("key", place, known if len(first["loc"]) == 1 else _prefixed(place, known)) + more
        )
    got = "" if first["type"] == "missing" else f", got {_short(first['input'])}"
    return f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}{got}{more}"


def _prefixed(place: str, known: list[str]) -> list[str]:
    parent = place.rpartition(".")[0]
    return [f"{parent}.{name}" for name in known]


def _short(value: Any) -> str:
    text = repr(float(value)) if isinstance(value, float) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _fields_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for part in loc:
        field = model.model_fields.get(str(part))
        if (
            field is None
            or not isinstance(field.annotation, type)
            or not issubclass(field.annotation, BaseModel)
        ):
            break
        model = field.annotation
    return list(model.model_fields)
