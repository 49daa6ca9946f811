"""Tests of tfft/augmentations/back_translation.py."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.augmentations.toys import augmented, is_likely
from tfft import plugins
from tfft.augmentations import back_translation
from tfft.errors import DataError


@pytest.fixture
def files(tmp_path):
    """A TSV and a CSV file; `one` has three paraphrases, `two, too` has one."""
    tsv, table = tmp_path / "fr.tsv", tmp_path / "de.csv"
    tsv.write_text("\ufefftext\tparaphrase\none\tun\none\tune\nnone\t\nsame\tsame\n", encoding="utf-8")
    table.write_text('paraphrase,note,text\n"two,\nzwei",x,"two, too"\neins,,one\n', encoding="utf-8")
    return [tsv, table]


def test_each_paraphrase_is_as_likely(files):
    found = augmented(back_translation.build(files=files, probability=0.6), ["one"] * 5000)
    for text, share in (("one", 0.4), ("un", 0.2), ("une", 0.2), ("eins", 0.2)):
        assert is_likely(found.count(text), 5000, share)


def test_texts_without_paraphrases_stay(files):
    texts = ["two, too", "other", "none", "same", "", "one "]
    found = augmented(back_translation.build(files=files, probability=1.0), texts)
    assert found == ["two,\nzwei", *texts[1:]]


def test_paths_of_the_settings_are_absolute():
    def read(files):
        # As a config is read.
        model = plugins.settings("augmentations", "back_translation")
        return model.model_validate_json(json.dumps({"name": "back_translation", "files": files})).files

    assert read(["~/a.csv", "b.csv"]) == [Path.home() / "a.csv", Path.cwd() / "b.csv"]
    for wrong in ([], [3], "a.csv"):
        with pytest.raises(ValidationError):
            read(wrong)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("text,other\na,b\n", "must have the columns text and paraphrase, but has text, other. Correct"),
        ("", "must have the columns text and paraphrase, but has none. Correct"),
        (b"text,paraphrase\n\xff,b\n", "in UTF-8, but cannot be read: 'utf-8'"),
        (
            'text,paraphrase\n"a,b\n',
            "in UTF-8, but cannot be read: unexpected end",
        ),
        (
            "text,paraphrase\na,a\nb, \nc\n",
            "must have a paraphrase that is not empty and",
        ),
        (None, "but cannot be read: [Errno 2] No such file or directory"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, problem):
    path = tmp_path / "some.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    wanted = rf"^augmentations\.back_translation\.files: {re.escape(str(path))} .*{re.escape(problem)}"
    with pytest.raises(DataError, match=wanted):
        back_translation.build(files=[path])
