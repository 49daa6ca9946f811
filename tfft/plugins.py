"""Find the plug-ins of a family by the names of their files, and read their settings.

A folder such as `tfft/optimizers` is a family of interchangeable choices. The
name in the YAML is the name of the file, and the signature of the plug-in's one
function is the schema of its settings: what the pipeline supplies stands before
`/`, what the YAML sets stands after `*`.

Plug-ins are imported to read their signatures, so they import TensorFlow inside
their functions: a typing error in a config shows at once.
"""

import functools
import inspect
import pkgutil
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any, ClassVar, Literal, Union, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, create_model
from pydantic_core import PydanticCustomError

FUNCTIONS = {
    "augmentations": "build",
    "callbacks": "build",
    "formats": "build",
    "losses": "build",
    "optimizers": "build",
    "preparation": "build",
    "presets": "folder",
    "regularizers": "build",
    "schedules": "build",
    "sources": "rows",
    "splitters": "build",
    "tasks": "build",
    "unfreezing": "build",
}
"""The function that each family's plug-ins define."""


class Settings(BaseModel):
    """Base of all settings: unknown keys and wrong types are errors, values are fixed."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class PluginSettings(Settings):
    """The settings of one plug-in; `name` is the name of its file."""

    family: ClassVar[str] = ""

    name: str

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for the plug-in's function."""
        return {key: getattr(self, key) for key in _keywords(load(self.family, self.name))}


def names(family: str) -> list[str]:
    """Return the names of all plug-ins in `tfft/<family>`, sorted."""
    package = import_module(f"tfft.{family}")
    return sorted(
        module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")
    )


def load(family: str, name: str) -> Callable[..., Any]:
    """Return the function that the plug-in `name` of `family` defines."""
    return getattr(module(family, name), FUNCTIONS[family])


def module(family: str, name: str) -> ModuleType:
    """Return the file of the plug-in `name` of `family`."""
    return import_module(f"tfft.{family}.{name}")


def settings(family: str, name: str, base: type[PluginSettings] = PluginSettings):
    """Return the settings class of one plug-in, read from its function's signature.

    Args:
        family: Folder below `tfft/`.
        name: File in that folder, without its ending.
        base: Class with the settings that all plug-ins of the family share.
    """
    function = load(family, name)
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {"name": (Literal[name], Field(description=f"`{name}`"))}
    help_of = _argument_help(function)
    for key, default in _keywords(function).items():
        given = ... if default is inspect.Parameter.empty else default
        fields[key] = (hints[key], Field(default=given, description=help_of[key]))
    model = create_model(f"{family}_{name}", __base__=base, __doc__=_first_paragraph(function), **fields)
    model.family = family
    return model


@functools.cache
def choice(family: str, base: type[PluginSettings] = PluginSettings, default: str | None = None) -> Any:
    """Return the type of a config key that picks one plug-in of `family`.

    The key takes a name (`adamw`) or a mapping (`{name: adamw, epsilon: 1e-6}`), whose
    `name` may be left out where there is a default.
    """
    choices = tuple(names(family))
    models = tuple(settings(family, name, base) for name in choices)
    chosen = models[0] if len(models) == 1 else Annotated[Union[models], Discriminator("name")]  # noqa: UP007
    written: Any = Union[Literal[choices], chosen]  # type: ignore[valid-type] # noqa: UP007

    def complete(value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict):
            return {"name": default, **value} if default else value
        if not isinstance(value, BaseModel):
            raise PydanticCustomError("choice_type", "must be a name, or a mapping with its settings")
        return value

    return Annotated[chosen, BeforeValidator(complete, json_schema_input_type=written)]


def _keywords(function: Callable[..., Any]) -> dict[str, Any]:
    """Return name and default of each keyword-only parameter."""
    return {
        key: parameter.default
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _doc(function: Callable[..., Any]) -> str:
    return inspect.getdoc(function) or ""


def _first_paragraph(function: Callable[..., Any]) -> str:
    return _doc(function).split("\n\n")[0]


def _argument_help(function: Callable[..., Any]) -> dict[str, str]:
    """Return the `Args:` section of a docstring as {argument: text}."""
    found: dict[str, str] = {}
    key, inside = None, False
    for line in _doc(function).splitlines():
        if line.startswith("Args:"):
            inside = True
        elif inside and line and not line.startswith(" "):
            break
        elif inside and line.startswith("    ") and not line.startswith("     "):
            key, _, text = line.strip().partition(": ")
            found[key] = text
        elif inside and key and line.strip():
            found[key] += " " + line.strip()
    return found
