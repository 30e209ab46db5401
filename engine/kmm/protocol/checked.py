"""Dataclasses whose fields are checked against their annotations, from Python and from a received map alike."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from kmm.protocol.limits import ProtocolError

#: Fields that hold poses, with the shape of one frame. They travel as parts after the header, in this order.
BUFFERS: Mapping[str, tuple[int, ...]] = {"translation": (3,), "rotations": (22, 4), "contacts": (4,)}


@dataclass(frozen=True)
class Bounds:
    """Smallest and largest value of a number, length of a text or list."""

    low: float
    high: float


class Checked:
    """A dataclass whose field values are checked against their annotations when it is made."""

    def __post_init__(self) -> None:
        annotations = _annotations(type(self))  # type: ignore[arg-type]  # as in construct
        for name, annotation in annotations.items():
            object.__setattr__(self, name, _checked(getattr(self, name), annotation, name))


def construct(cls: type[Any], values: dict[str, Any], where: str) -> Any:
    """The dataclass from a received map, in which only fields that may be None may be missing."""
    if not all(type(key) is str for key in values):
        raise ProtocolError("malformed", f"{where} is not a map with text keys")
    names = {f.name for f in fields(cls)}
    unknown = values.keys() - names
    if unknown:
        raise ProtocolError("malformed", f"{where}: no field is called {min(unknown)!r:.80}")
    annotations = _annotations(cls)  # type: ignore[arg-type]  # mypy takes the instances' hash for the class's
    optional = {name for name, a in annotations.items() if type(None) in typing.get_args(a)}
    missing = names - optional - values.keys() - BUFFERS.keys()
    if missing:
        raise ProtocolError("malformed", f"{where}: {min(missing)} is missing")
    return cls(**values)


def poses(values: Any, name: str, count: int) -> NDArray[np.float32]:
    """A buffer (count, ...) as the wire has it, or a ProtocolError."""
    array = np.ascontiguousarray(values, dtype="<f4")
    if array.shape != (count, *BUFFERS[name]):
        raise ProtocolError(
            "malformed", f"{name} must have shape {(count, *BUFFERS[name])}, not {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ProtocolError("invalid", f"{name} holds a value that is not a finite number")
    return array


@cache
def _annotations(cls: type[Any]) -> dict[str, Any]:
    """Field name -> annotation, without the buffers, which the messages that have some check themselves."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in fields(cls) if f.name not in BUFFERS}


def _checked(value: Any, annotation: Any, where: str, bounds: Bounds | None = None) -> Any:
    """The value if it fits the annotation (dicts become dataclasses, ints floats where one is asked for)."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        inner, limit = typing.get_args(annotation)
        return _checked(value, inner, where, limit)
    if origin in (typing.Union, UnionType):  # only "X | None" is used
        inner = next(a for a in typing.get_args(annotation) if a is not type(None))
        return None if value is None else _checked(value, inner, where)
    if origin is tuple:
        _require(isinstance(value, (tuple, list)), where, "a list")
        _bounded(len(value), bounds, where, "items")
        inner = typing.get_args(annotation)[0]
        return tuple(_checked(item, inner, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        _require(type(value) is dict, where, "a map")
        _bounded(len(value), bounds, where, "items")
        inner = typing.get_args(annotation)[1]
        return {_checked(k, str, where): _checked(v, inner, f"{where}.{k}") for k, v in value.items()}
    if is_dataclass(annotation):
        if type(value) is dict:
            return construct(typing.cast(type, annotation), value, where)
        _require(isinstance(value, typing.cast(type, annotation)), where, "a map")
        return value
    if annotation is float:
        _require(type(value) in (int, float), where, "a number")
        _bounded(value, bounds, where)  # NaN is within no bounds
        return float(value)
    _require(
        type(value) is annotation,
        where,
        {int: "a whole number", str: "a text", bool: "true or false"}[annotation],
    )
    if annotation is int:
        _bounded(value, bounds, where)
    if annotation is str:
        _require(_encodable(value), where, "valid Unicode text")
        _bounded(len(value), bounds, where, "characters")
    return value


def _require(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise ProtocolError("malformed", f"{where} must be {what}")


def _bounded(size: float, bounds: Bounds | None, where: str, unit: str = "") -> None:
    if bounds is not None and not bounds.low <= size <= bounds.high:
        code = "too_large" if unit and size > bounds.high else "invalid"
        has = f"has {size} {unit}" if unit else f"is {size}"
        raise ProtocolError(code, f"{where} {has}; {bounds.low:.16g} to {bounds.high:.16g} can be taken")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
