"""Tests of the data set in configs/data/support_intents."""

import csv
from collections import Counter
from itertools import combinations
from pathlib import Path
from statistics import median

import pyarrow as pa
import pytest

from tfft.sources import delimited

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "data" / "support_intents"
PER_INTENT = {"train": 52, "validation": 8, "test": 20}
INTENTS = {
    "order_status",
    "change_or_cancel_order",
    "return_or_refund",
    "damaged_or_wrong_item",
    "billing",
    "account_access",
    "product_question",
    "feedback",
}


@pytest.fixture(scope="module")
def messages():
    """Return {split: [(text, label)]}."""
    found = {}
    for split in PER_INTENT:
        with open(FOLDER / f"{split}.csv", newline="", encoding="utf-8") as stream:
            found[split] = [(row["text"], row["label"]) for row in csv.DictReader(stream, strict=True)]
    return found


def folded(text):
    return " ".join(text.lower().split())


def five_grams(text):
    text = folded(text)
    return {text[start : start + 5] for start in range(max(1, len(text) - 4))}


@pytest.mark.parametrize("split", PER_INTENT)
def test_each_intent_has_its_count_in_each_split(messages, split):
    assert Counter(label for _, label in messages[split]) == dict.fromkeys(INTENTS, PER_INTENT[split])


@pytest.mark.parametrize("split", PER_INTENT)
def test_source_reads_every_row(messages, split):
    reports = []
    batches = delimited.rows(
        FOLDER / f"{split}.csv", dict.fromkeys(("text", "label"), pa.string()), lambda *r: reports.append(r)
    )
    rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    assert (rows, reports) == (messages[split], [])


def test_files_are_utf_8_with_unix_line_ends_and_no_byte_order_mark():
    for split in PER_INTENT:
        content = (FOLDER / f"{split}.csv").read_bytes()
        assert content.decode("utf-8").startswith("text,label\n")
        assert b"\r" not in content
        assert content.endswith(b"\n")


def test_no_message_occurs_twice(messages):
    texts = Counter(folded(text) for rows in messages.values() for text, _ in rows)
    assert [text for text, count in texts.items() if count > 1] == []


def test_each_intent_has_at_least_sixty_distinct_messages(messages):
    distinct = {(folded(text), label) for rows in messages.values() for text, label in rows}
    counts = Counter(label for _, label in distinct)
    assert set(counts) == INTENTS
    assert min(counts.values()) >= 60


def test_no_message_has_a_near_duplicate_in_another_split(messages):
    grams = {split: [(five_grams(text), text) for text, _ in rows] for split, rows in messages.items()}
    near = [
        (left, right)
        for one, other in combinations(grams, 2)
        for first, left in grams[one]
        for second, right in grams[other]
        if min(len(first), len(second)) >= 0.4 * max(len(first), len(second))  # else it cannot be
        and len(first & second) >= 0.4 * len(first | second)
    ]
    assert near == []


def test_near_duplicates_would_be_found():
    first, second = five_grams("Where is my parcel?"), five_grams("where  is my PARCEL, please?")
    assert len(first & second) / len(first | second) >= 0.4


def test_each_intent_has_short_and_long_messages(messages):
    words = {intent: [] for intent in INTENTS}
    for rows in messages.values():
        for text, label in rows:
            words[label].append(len(text.split()))
    assert all(min(lengths) < 6 and max(lengths) > 35 for lengths in words.values())
    assert all(10 <= median(lengths) <= 30 for lengths in words.values())
    everything = [count for lengths in words.values() for count in lengths]
    # As the README says.
    assert (min(everything), max(everything), median(everything)) == (2, 102, 18)


def test_no_message_is_blank_or_has_odd_spaces_at_its_ends(messages):
    texts = [text for rows in messages.values() for text, _ in rows]
    assert [text for text in texts if text != text.strip() or not text] == []
