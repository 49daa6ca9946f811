"""Tests of tfft/preparation/cp1252.py."""

import csv

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preparation.toys import applied
from tfft.preparation import cp1252

STEP = cp1252.build()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=20))
def test_bytes_of_windows_1252_that_were_read_as_latin_1(raw):
    # Python refuses the five that stand for nothing; they stay as they are.
    meant = "".join(bytes([b]).decode("latin-1" if b in b"\x81\x8d\x8f\x90\x9d" else "cp1252") for b in raw)
    assert applied(STEP, raw.decode("latin-1")) == [meant]


def test_by_hand():
    assert applied(STEP, "don\u0092t \u0093go\u0094 \u0080\u0096\u0085", "\u0081", "Ã€ é") == [
        "don’t “go” €–…",
        "\u0081",
        "Ã€ é",
    ]


def test_no_control_character_is_left_in_real_messages(shared):
    with open(shared / "data" / "sms_spam" / "train.csv", encoding="utf-8", newline="") as stream:
        texts = [row["text"] for row in csv.DictReader(stream)]
    hurt = [text for text in texts if any("\x80" <= character <= "\x9f" for character in text)]
    assert len(hurt) > 10
    repaired = applied(STEP, *texts)
    assert not [text for text in repaired if any("\x80" <= character <= "\x9f" for character in text)]
    assert sum(one != other for one, other in zip(texts, repaired, strict=True)) == len(hurt)
