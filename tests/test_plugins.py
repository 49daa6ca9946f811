"""Tests of tfft/plugins.py, and the contract that every plug-in keeps."""

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Annotated, get_type_hints

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from tfft import plugins
from tfft.plugins import PluginSettings
from tfft.unfreezing.stages import Written

EVERY = [(family, name) for family in plugins.FUNCTIONS for name in plugins.names(family)]
CONFIGURED = [(family, name) for family, name in EVERY if family != "presets"]
# What has no default that would suit everybody.
REQUIRED = {
    ("augmentations", "back_translation"): {"files": [Path("/paraphrases.tsv")]},
    ("callbacks", "time_budget"): {"minutes": 5.0},
    ("sources", "hugging_face"): {"dataset": "stanfordnlp/imdb"},
    ("sources", "tfds"): {"dataset": "imdb_reviews"},
    ("splitters", "group"): {"column": "user"},
    ("splitters", "time"): {"column": "when"},
    ("unfreezing", "stages"): {"stages": [Written()]},
}


def test_every_family_has_plug_ins():
    assert {family for family, _ in EVERY} == set(plugins.FUNCTIONS)


@pytest.mark.parametrize(("family", "name"), EVERY)
def test_contract(family, name):
    module = plugins.module(family, name)
    assert module.__doc__, "the file needs a docstring"
    function = plugins.load(family, name)
    assert inspect.isfunction(function)
    assert function.__module__ == module.__name__, "the function must be defined in this file"
    assert inspect.getdoc(function), "the function needs a docstring"

    hints = get_type_hints(function, include_extras=True)
    told = plugins._argument_help(function)
    for key, parameter in inspect.signature(function).parameters.items():
        assert parameter.kind in (parameter.POSITIONAL_ONLY, parameter.KEYWORD_ONLY), (
            f"{key}: what the pipeline supplies stands before /, what the YAML sets after *"
        )
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert key in hints, f"{key} has no annotation"
            assert told.get(key), f"{key} has no line in Args:"
    assert set(told) <= set(inspect.signature(function).parameters), "Args: names what is no parameter"


@pytest.mark.parametrize("family", plugins.FUNCTIONS)
def test_plug_ins_of_a_family_are_called_alike(family):
    def positional(name):
        parameters = inspect.signature(plugins.load(family, name)).parameters.values()
        return [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]

    assert {tuple(positional(name)) for name in plugins.names(family)} == {
        tuple(positional(plugins.names(family)[0]))
    }


@pytest.mark.parametrize("name", plugins.names("sources"))
def test_a_source_says_what_it_reads(name):
    assert plugins.module("sources", name).READS in ("files", "splits")


@pytest.mark.parametrize(("family", "name"), CONFIGURED)
def test_settings_are_the_signature(family, name):
    function = plugins.load(family, name)
    parameters = inspect.signature(function).parameters.values()
    expected = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    model = plugins.settings(family, name)
    assert {
        key: inspect.Parameter.empty if field.is_required() else field.default
        for key, field in model.model_fields.items()
        if key != "name"
    } == expected
    assert all(field.description for field in model.model_fields.values())
    needed = REQUIRED.get((family, name), {})
    assert {key for key, default in expected.items() if default is inspect.Parameter.empty} == set(needed)
    assert model(name=name, **needed).arguments() == expected | needed, "the rest works by its name alone"
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        model(name=name, no_such_setting=1)
    with pytest.raises(ValidationError, match=f"Input should be '{name}'"):
        model(name="another")


def test_defaults_are_values_that_the_settings_accept():
    # pydantic takes a default on trust.
    for family, name in CONFIGURED:
        model = plugins.settings(family, name)
        model.model_validate(model(name=name, **REQUIRED.get((family, name), {})).model_dump())


def test_reading_signatures_does_not_import_tensorflow():
    code = (
        "import sys\n"
        "from tfft import plugins, config\n"
        "for family in plugins.FUNCTIONS:\n"
        "    for name in plugins.names(family):\n"
        "        plugins.load(family, name)\n"
        "heavy = {'tensorflow', 'keras', 'keras_hub', 'kagglehub', 'huggingface_hub'}\n"
        "heavy |= {'tensorflow_datasets', 'datasets'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


@pytest.fixture
def family(tmp_path, monkeypatch):
    """A family `tfft.fruits` of two plug-ins, and a file that is none."""
    folder = tmp_path / "fruits"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "_shared.py").write_text("")
    (folder / "apple.py").write_text(
        '''"""Apple."""


def grow(tree, /, *, colour: str, size: int = 3):
    """Grow an apple,
    slowly.

    More words.

    Args:
        tree: From the pipeline.
        colour: Of its skin: red,
            or green.
        size: In centimetres.

    Returns:
        size: not an argument.
    """
    return tree, colour, size
'''
    )
    (folder / "pear.py").write_text('"""Pear."""\n\n\ndef grow(tree, /):\n    """Grow a pear."""\n')
    monkeypatch.setattr("tfft.__path__", [*__import__("tfft").__path__, str(tmp_path)])
    monkeypatch.setitem(plugins.FUNCTIONS, "fruits", "grow")
    yield "fruits"
    for name in [name for name in sys.modules if name.startswith("tfft.fruits")]:
        del sys.modules[name]


def test_names_are_the_files_without_the_private_ones(family):
    assert plugins.names(family) == ["apple", "pear"]


def test_settings_read_types_defaults_and_help(family):
    fields = plugins.settings(family, "apple").model_fields
    assert list(fields) == ["name", "colour", "size"]
    assert fields["colour"].is_required()
    assert (fields["size"].default, fields["size"].annotation) == (3, int)
    assert fields["colour"].description == "Of its skin: red, or green."
    assert fields["size"].description == "In centimetres."
    assert plugins.settings(family, "apple").__doc__ == "Grow an apple,\nslowly."


def test_arguments_leave_out_what_the_family_shares(family):
    class Fruit(PluginSettings):
        """What every fruit has."""

        price: Annotated[float, Field(gt=0)] = 1.0

    settings = plugins.settings(family, "apple", Fruit)(name="apple", colour="red", price=2.0)
    assert settings.arguments() == {"colour": "red", "size": 3}
    assert plugins.load(family, "apple")("tree", **settings.arguments()) == ("tree", "red", 3)


def test_a_choice_is_a_name_or_a_mapping(family):
    choice = TypeAdapter(plugins.choice.__wrapped__(family, default="apple"))
    assert choice.validate_python("pear").name == "pear"
    assert choice.validate_python({"name": "apple", "colour": "red"}).size == 3
    assert choice.validate_python({"colour": "red"}).name == "apple"
    pear = choice.validate_python("pear")
    assert choice.validate_python(pear) == pear


def test_a_choice_without_a_default_needs_the_name(family):
    choice = TypeAdapter(plugins.choice.__wrapped__(family))
    with pytest.raises(ValidationError, match="Unable to extract tag using discriminator 'name'"):
        choice.validate_python({"colour": "red"})


@pytest.mark.parametrize("value", [None, 3, True, ["pear"]])
def test_a_choice_is_nothing_else(family, value):
    choice = TypeAdapter(plugins.choice.__wrapped__(family))
    with pytest.raises(ValidationError, match="must be a name, or a mapping with its settings"):
        choice.validate_python(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1.5"])
def test_settings_are_strict_about_numbers(value):
    class Strict(PluginSettings):
        """One number."""

        number: float

    with pytest.raises(ValidationError, match=r"finite number|valid number"):
        Strict(name="x", number=value)


def test_the_contract_reads_what_it_is_meant_to_read():
    # A test of the tests: `Args:` is found, and only there.
    def build(labels, /, *, rate=1):
        """Do it.

        Args:
            rate: A number.

        Raises:
            other: Not here.
        """

    assert plugins._argument_help(build) == {"rate": "A number."}
