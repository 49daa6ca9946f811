"""Tests of tfft/setting_problems.py, on a model of its own; tests/test_config.py has the real one."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from tfft import setting_problems
from tfft.plugins import Settings


class Cat(Settings):
    """One choice."""

    name: Literal["cat"]
    lives: int = 9


class Dog(Settings):
    """Another choice."""

    name: Literal["dog"]
    tricks: list[str] = []


class House(Settings):
    """A model with every shape that a config has."""

    pet: Annotated[Cat | Dog, Field(discriminator="name")] = Cat(name="cat")
    pets: list[Annotated[Cat | Dog, Field(discriminator="name")]] = []
    floors: Annotated[int, Field(ge=1, le=3)] = 1
    colour: Literal["red", "blue"] = "red"
    share: Annotated[float, Field(gt=0, lt=1)] | Literal["all"] = "all"
    rooms: Literal["none"] | list[Cat] = "none"
    is_new: bool = True
    owner: str = "nobody"


def problems(mapping: dict[str, Any], lines: dict | None = None) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        House.model_validate(mapping)
    return setting_problems.describe(caught.value, House, mapping, lines or {})


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"floors": 0}, "floors: must be at least 1, got 0"),
        ({"floors": 4}, "floors: must be at most 3, got 4"),
        ({"floors": True}, "floors: must be a whole number, got true"),
        ({"floors": "3"}, "floors: must be a whole number, got '3'"),
        ({"floors": 2.0}, "floors: must be a whole number, got 2.0"),
        ({"floors": None}, "floors: must be a whole number, got null"),
        ({"colour": "green"}, "colour: must be 'red' or 'blue', got 'green'"),
        ({"share": 1}, "share: must be below 1 or 'all', got 1"),
        ({"share": float("nan")}, "share: must be a finite number or 'all', got nan"),
        ({"share": float("inf")}, "share: must be a finite number or 'all', got inf"),
        ({"share": True}, "share: must be a number or 'all', got true"),
        ({"is_new": "no"}, "is_new: must be true or false, got 'no'"),
        ({"is_new": 1}, "is_new: must be true or false, got 1"),
        ({"owner": 3}, "owner: must be text, got 3; put it in quotes"),
        ({"owner": False}, "owner: must be text, got false; put it in quotes"),
        ({"owner": ["x"]}, "owner: must be text, got ['x']"),
        ({"rooms": "some"}, "rooms: must be 'none' or a list, got 'some'"),
        ({"flors": 1}, "flors: unknown key. Did you mean floors?"),
        (
            {"zzz": 1},
            "zzz: unknown key. Known here: pet, pets, floors, colour, share, rooms, is_new, owner.",
        ),
        ({"pet": {"name": "cow"}}, "pet.name: unknown name 'cow'. Known: cat, dog."),
        ({"pet": {"name": "cot"}}, "pet.name: unknown name 'cot'. Known: cat, dog. Did you mean cat?"),
        ({"pet": {"lives": 3}}, "pet: needs the key `name`"),
        ({"pet": {"name": "dog", "trick": []}}, "pet.trick: unknown key. Did you mean tricks?"),
        ({"pet": {"name": "cat", "tricks": []}}, "pet.tricks: unknown key. Known here: name, lives."),
        (
            {"pets": [{"name": "cat"}, {"name": "dog", "trik": 1}]},
            "pets.1.trik: unknown key. Did you mean tricks?",
        ),
        (
            {"pets": [{"name": "dog", "tricks": ["sit", 3]}]},
            "pets.0.tricks.1: must be text, got 3; put it in quotes",
        ),
    ],
)
def test_one_fault_makes_one_line(mapping, problem):
    assert problems(mapping) == [problem]


def test_a_fault_inside_one_branch_is_not_told_for_the_other():
    assert problems({"rooms": [{"name": "cat", "lives": "x"}]}) == [
        "rooms.0.lives: must be a whole number, got 'x'"
    ]


def test_a_key_has_its_line_and_a_missing_one_that_of_its_section():
    mapping = {"floors": 0, "rooms": [{"lives": 1}]}
    lines = {("floors",): 3, ("rooms",): 5, ("rooms", 0): 6}
    assert problems(mapping, lines) == [
        "floors (line 3): must be at least 1, got 0",
        "rooms.0.name (line 6): is missing, and has no default",
    ]


def test_a_long_value_is_cut():
    (problem,) = problems({"floors": "x" * 1000})
    assert problem == f"floors: must be a whole number, got '{'x' * 118}…"
