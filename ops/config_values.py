"""Checks the value of one setting and says what would be right where it is wrong.

Used by `ops/config.py`. The types are those that `actors/settings.py` declares, and lists of what modules
read from a text: a class with a `parse`, that raises `ValueError` and says what is missing, and a `__str__`.
"""

import json
from collections.abc import Mapping
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from actors.settings import Address

_STRICT: Final = ConfigDict(strict=True)
_SHOWN_CHARACTERS_MAX: Final = 60


def checked(annotation: object, value: object, bounds: Mapping[str, Any]) -> object:
    """Returns the value as the type declared for its setting.

    Args:
        annotation: The declared type.
        value: What TOML gave.
        bounds: The metadata of the setting, of which `least` and `most` count here.

    Raises:
        ValueError: The value will not do; the message says what would.
    """
    least, most = bounds["least"], bounds["most"]
    if value == "" and annotation == Path | None:
        return None
    try:
        return _adapter(annotation, least, most).validate_python(value)
    except ValidationError as error:
        reasons = [_address_reason(fault) for fault in error.errors() if "error" in fault.get("ctx", {})]
        wanted = "; ".join(reasons) or f"write {expectation(annotation, least, most)}"
        raise ValueError(f"{shown(value)} will not do: {wanted}") from error


def expectation(annotation: object, least: float | None, most: float | None) -> str:
    """Says in words what may be written for a setting of this type."""
    between = f" from {least} to {most}" if least is not None else ""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f'"{member.value}"' for member in annotation)
    words: dict[object, str] = {
        bool: "true or false",
        int: f"a whole number{between}",
        float: f"a number{between}",
        str: "a text in quotes",
        Path: "a path in quotes",
        Path | None: "a path in quotes",
        tuple[Address, ...]: 'a list of addresses such as ["127.0.0.1:5222"]',
    }
    return (
        "a list of texts in quotes"
        if annotation not in words and _item_type(annotation)
        else words[annotation]
    )


def as_toml(value: object) -> str:
    """Writes a value the way it stands in a TOML file."""
    if isinstance(value, Enum):
        return as_toml(value.value)
    if value is None:
        return '""'
    if isinstance(value, (list, tuple)) and not hasattr(value, "parse"):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    if isinstance(value, Path) or hasattr(value, "parse"):
        return as_toml(str(value))
    return json.dumps(value, ensure_ascii=False, default=str)


def shown(value: object) -> str:
    """Writes a value found in a configuration, shortened for a message."""
    text = "a table" if isinstance(value, dict) else as_toml(value)
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}…"


@cache
def _adapter(annotation: Any, least: float | None, most: float | None) -> TypeAdapter[Any]:  # noqa: ANN401 - any setting's type
    if (item := _item_type(annotation)) is not None:
        return TypeAdapter(tuple[Annotated[Any, PlainValidator(partial(_parsed, item))], ...])
    if annotation in (int, float):
        numbers = Field(ge=least, le=most, allow_inf_nan=False, strict=True)
        return TypeAdapter(Annotated[annotation, numbers])
    return TypeAdapter(annotation, config=_STRICT if annotation in (bool, str) else None)


def _item_type(annotation: Any) -> Any:  # noqa: ANN401 - any setting's type
    """Of a list of what is read from a text, the class that reads it; None for other types."""
    items = get_args(annotation) if get_origin(annotation) is tuple else ()
    return items[0] if items and hasattr(items[0], "parse") else None


def _parsed(item: Any, value: object) -> object:  # noqa: ANN401 - any class with `parse`
    if not isinstance(value, str):
        wanted = "HOST:PORT" if item is Address else "it"
        raise ValueError(f"{shown(value)} is no text: write {wanted} in quotes")
    try:
        return item.parse(value)
    except ValueError as error:
        raise ValueError(f'"{value}": {error}') from error


def _address_reason(fault: ErrorDetails) -> str:
    return str(fault["ctx"]["error"])
