"""Tests of tfft/data_tables.py."""

import copy
import io

import pytest
from rich.console import Console

from tests.test_data_page import PREVIEW
from tfft import data_tables


def printed(preview, **settings):
    stream = io.StringIO()
    Console(file=stream, width=100, **settings).print(data_tables.shown(preview))
    return stream.getvalue()


def test_every_line_fits_into_100_columns():
    assert max(map(len, printed(PREVIEW, color_system=None).splitlines())) <= 100


def test_text_of_rows_is_neither_markup_nor_control():
    preview = copy.deepcopy(PREVIEW)
    preview["examples"][0]["columns"][0]["value"] = "[red]x[/red] [bold"
    shown = printed(preview, color_system=None)
    assert "[red]x[/red] [bold" in shown
    assert "\x1b" not in shown
    assert "\x00" not in shown
    assert r"\x1b\x00" in shown


def test_figures_are_told():
    lines = [
        " ".join(line.replace("│", " ").split()) for line in printed(PREVIEW, color_system=None).splitlines()
    ]
    for line in [
        "none 0 0.0%", "rows by their labels: 0 1", "labels of a row, mean 0.75", "median 2",
        "percentile 95 4", "percentile 99 5", "longest 6", "special tokens beside them 2",
        "rows that sequence length 5 cuts 1 (25.0%)",
        "tokens that are lost 30.0%", "rows without a token 1",
        "sequence length so that at most 5% are cut 8",
        "as they are made, of like length 2 10.0%", "unsorted 20.0%", "all padded to 5 30.0%",
        "of those made, 1 to 5 tokens wide 2 4 10.0%",
        "Unknown tokens: 7 (7.00%); rows that have one: 3,000, of which 1,000 were drawn to find words",
        "Rows that the preparation changes: 2, that it leaves empty: 1 (the first: 17)",
        "that repeat an earlier row of train 11", "of one text, at most 3",
        "whose text stands in test, too 12", "of test whose text stands in train 13", "target [0, 2]",
    ]:  # fmt: skip
        assert line in lines, line
    assert "whole" not in " ".join(lines), "a label without cut rows"
    assert any(line.startswith("Bad rows that are left out: 1; the first: <script>") for line in lines)


def test_changes_are_marked_with_and_without_colours():
    preview = copy.deepcopy(PREVIEW)
    preview["examples"][0]["texts"][0]["prepared"] = [("same", "a "), ("removed", "&amp;"), ("added", "&")]
    assert "a [-&amp;-]{+&+}" in printed(preview, color_system=None)
    coloured = printed(preview, color_system="standard", force_terminal=True)
    assert "\x1b[31m[-&amp;-]\x1b[0m\x1b[32m{+&+}\x1b[0m" in coloured


def test_tokens_with_ids_padding_and_what_is_cut():
    preview = copy.deepcopy(PREVIEW) | {"pad": "[PAD]"}
    preview["examples"][0]["tokens"][1]["piece"] = " good"
    lines = [line.split() for line in printed(preview, color_system=None).splitlines()]
    assert ["2", "tokens", "[CLS]/101", "␣good/8", "3", "x", "[PAD]"] in lines
    assert ["1", "cut", "##cut/9"] in lines


def test_long_texts_and_rows_are_shortened_and_say_so():
    preview = copy.deepcopy(PREVIEW)
    (row,) = preview["examples"]
    row["columns"][0]["value"] = "y" * 1000
    row["texts"][0]["prepared"] = [("removed", "n" * 1000), ("same", "never shown")]
    row["tokens"] = [{"id": 5, "piece": "p", "text": 0, "unknown": False}] * 100
    shown = printed(preview, color_system=None)
    assert (shown.count("y" * 50) > 0, "600 characters more" in shown) == (True, True)
    assert "never shown" not in shown
    assert "36 more" in shown


def test_many_labels_are_summed_up():
    preview = copy.deepcopy(PREVIEW)
    preview["target"]["labels"] = [
        {"label": f"label {number}", "rows": number, "share": 0.01} for number in range(20)
    ]
    preview["target"]["labels_per_row"] = [{"labels": number, "rows": 10} for number in range(9)]
    lines = [" ".join(line.replace("│", " ").split()) for line in printed(preview).splitlines()]
    assert "8 more 0 to 7 each" in lines
    assert "6 or more 30" in lines


@pytest.mark.parametrize("kind", ["label", "rank"])
def test_ranks_stay_in_their_order(kind):
    preview = copy.deepcopy(PREVIEW)
    preview["target"] = {
        "kind": kind,
        "labels": [{"label": "low", "rows": 1, "share": 0.1}, {"label": "high", "rows": 9, "share": 0.9}],
    }
    shown = printed(preview)
    assert (shown.index("low ") < shown.index("high ")) == (kind == "rank")


def test_numbers_and_byte_pairs():
    preview = copy.deepcopy(PREVIEW)
    preview["target"] = {
        "kind": "number", "mean": 2.5, "standard_deviation": 1.0, "lowest": 1.0, "highest": 4.0,
        "histogram": {"edges": [1, 2, 3, 4, 5], "counts": [0, 1, 4, 8]},
    }  # fmt: skip
    preview["unknown"] = None
    shown = printed(preview)
    assert "standard deviation" in shown
    assert " ▁▄█" in shown
    assert "Unknown tokens: none can be; every byte has a token" in shown
