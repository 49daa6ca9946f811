"""Tests of tfft/data_page.py."""

import base64
import copy
import html.parser
import re

import pytest

from tfft import data_page
from tfft.errors import RunError

NASTY = """<script>alert("1")</script> ]]> --> &lt; 'a' "b" {{ 7 * 7 }} <img src=x onerror=y> \x1b\x00"""
PREVIEW = {
    "name": NASTY,
    "split": "train",
    "preset": NASTY,
    "pad": NASTY,
    "rows": 1234,
    "bad_rows": [NASTY],
    "target": {
        "kind": "labels",
        "labels": [{"label": NASTY, "rows": 3, "share": 0.75}, {"label": "none", "rows": 0, "share": 0.0}],
        "labels_per_row": [{"labels": 0, "rows": 1}],
        "mean_labels_per_row": 0.75,
    },
    "tokens": {
        "median": 2.0,
        "percentile_95": 4.0,
        "percentile_99": 5.0,
        "longest": 6,
        "without_tokens": 1,
        "special": 2,
        "room": 3,
        "sequence_length": 5,
        "histogram": {"edges": [0, 1, 2, 3, 4, 5, 6, 7], "counts": [1, 0, 2, 0, 0, 0, 1]},
        "windows": 1,
        "enough": [{"cut": 0.05, "sequence_length": 8, "windows": 1}],
    },
    "cut": {
        "rows": 4,
        "cut": 1,
        "tokens_lost": 0.3,
        "labels": [
            {"label": NASTY, "rows": 3, "cut": 1, "tokens_lost": 0.3},
            {"label": "whole", "rows": 1, "cut": 0, "tokens_lost": 0.0},
        ],
    },
    "padding": {
        "batches": 2,
        "sorted": 0.1,
        "unsorted": 0.2,
        "full": 0.3,
        "buckets": [{"from": 1, "to": 5, "batches": 2, "rows": 4, "padding": 0.1}],
    },
    "unknown": {
        "tokens": 7,
        "share": 0.07,
        "rows": 3000,
        "looked_at": 1000,
        "words": [{"word": NASTY, "times": 9}],
    },
    "characters": {
        "changed": 2,
        "empty": {"rows": 1, "first": [17]},
        "unusual": [
            {
                "name": "HTML entities",
                "step": "html_entities",
                "times": 5,
                "rows": 2,
                "left": 1,
                "looked_at": 1,
                "most": [{"character": "&lt;", "times": 5}],
            },
            {
                "name": "replacement characters",
                "step": None,
                "times": 0,
                "rows": 0,
                "left": 0,
                "looked_at": 0,
                "most": [],
            },
        ],
    },
    "repeated": {
        "rows": 11,
        "most": 3,
        "shared": [{"split": "test", "rows": 12, "other_rows": 13}],
    },
    "examples": [
        {
            "row": 21,
            "columns": [{"column": NASTY, "value": NASTY}, {"column": "labels", "value": [NASTY, "b"]}],
            "texts": [
                {
                    "joined": "joined " + NASTY,
                    "augmented": [("same", "a"), ("added", "augmented " + NASTY)],
                    "prepared": [("removed", "gone " + NASTY), ("added", "come " + NASTY)],
                }
            ],
            "words": None,
            "tokens": [
                {"id": 101, "piece": "[CLS]", "text": None, "unknown": False},
                {"id": 8, "piece": " " + NASTY, "text": 0, "unknown": True},
            ],
            "padding": 3,
            "cut": [{"id": 9, "piece": "##cut", "text": 0, "unknown": False}],
            "target": [0, 2],
        }
    ],
}  # fmt: skip


class Reader(html.parser.HTMLParser):
    """Collects elements and text; closing must match opening."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", data))


def read(path):
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture
def page(tmp_path):
    data_page.write(PREVIEW, tmp_path / "page.html")
    return read(tmp_path / "page.html")


def said(page):
    return " ".join(" ".join(text for tag, text in page.text if tag != "style").split())


def test_text_of_rows_is_text(page):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "b", "iframe", "object", "link"}
    assert all(
        attributes["src"].startswith("data:image/svg+xml;base64,")
        for tag, attributes in page.elements
        if tag == "img"
    )
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    visible = NASTY.replace("\x1b", r"\x1b").replace("\x00", r"\x00")
    # Title, heading, preset, bad row, label twice, word, column, value, labels, joined and the changes.
    assert said(page).count(visible) == 14
    assert said(page).count(visible.replace(" ", "␣")) == 2, "a token and the padding"
    assert said(page).count("49") == 0, "what a row holds is no template"


def test_nothing_is_fetched(tmp_path, page):
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    plain = re.sub("base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?:|url\(|@import", plain)


def test_figures_stand_on_the_page(page):
    text = said(page)
    for part in [
        "1,234 rows", "Bad rows that are left out: 1", "75.0 %", "Sequence length 5 cuts 1 of 4 rows; 30.0 %",
        "1 to 5 2 4 10.0 %", "7 tokens (7.00 %), in 3,000 rows", "in 1,000 of those rows",
        "leaves empty: 1 (the first: 17)", "none: read or written in a wrong encoding",
        "rows that repeat an earlier row of train 11", "rows of test whose text stands in train 13", "Row 21",
        "target [0, 2]", "0.75 labels a row", "(in 1 rows)", "1 cut ##cut 9",
    ]:  # fmt: skip
        assert part in text, part
    assert "whole" not in text, "a label without cut rows"


def test_changes_are_marked(page):
    marked = {
        tag: [
            text for of, text in page.text if of == tag and text.split()[0] in ("augmented", "gone", "come")
        ]
        for tag in ("ins", "del")
    }
    assert [text.split()[0] for text in marked["ins"]] == ["augmented", "come"]
    assert [text.split()[0] for text in marked["del"]] == ["gone"]


def test_special_and_unknown_tokens_and_the_second_text_are_told_apart(tmp_path):
    preview = copy.deepcopy(PREVIEW)
    (row,) = preview["examples"]
    row["texts"] *= 2
    row["tokens"].append({"id": 9, "piece": "second", "text": 1, "unknown": False})
    row["cut"] = []
    data_page.write(preview, tmp_path / "page.html")
    classes = [
        attributes["class"]
        for tag, attributes in read(tmp_path / "page.html").elements
        if tag == "span" and "k" in attributes["class"].split()
    ]
    assert classes[-3:] == ["k special", "k unknown", "k b"]


def test_numbers_and_byte_pairs(tmp_path):
    preview = copy.deepcopy(PREVIEW)
    preview["target"] = {
        "kind": "number", "mean": 2.5, "standard_deviation": 1.0, "lowest": 1.0, "highest": 4.0,
        "histogram": {"edges": [1.0, 2.0, 4.0], "counts": [1, 3]},
    }  # fmt: skip
    preview["cut"]["labels"] = []
    preview["unknown"] = None
    data_page.write(preview, tmp_path / "page.html")
    page = read(tmp_path / "page.html")
    assert "None can be: every byte has a token." in said(page)
    assert "mean 2.5 standard deviation 1 lowest 1 highest 4" in said(page)
    plots = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
    assert len(plots) == 2
    for plot in plots:
        assert b"</svg>" in base64.b64decode(plot.partition(",")[2])


def test_the_same_rows_give_the_same_page(tmp_path):
    for name in ("a.html", "b.html"):
        data_page.write(PREVIEW, tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_nothing_is_written_over_and_nothing_is_left_half_written(tmp_path, monkeypatch):
    there = tmp_path / "there.html"
    there.write_text("mine")
    with pytest.raises(
        RunError, match=r"there\.html exists, and is not written over\. .* --html, or remove it"
    ):
        data_page.write(PREVIEW, there)
    with pytest.raises(RunError, match=r"gone/page\.html cannot be written: its folder does not exist"):
        data_page.check(tmp_path / "gone" / "page.html")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data_page.os, "replace", full)
    with pytest.raises(RunError, match=r"No space left on device.*--html"):
        data_page.write(PREVIEW, tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["there.html"]
    assert there.read_text() == "mine"
