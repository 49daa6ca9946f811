"""Tests of `tfft data`, from a config to the console and the page."""

import json
import re
import sys

import pytest
import yaml

from tests import families as tiny
from tests.conftest import write_csv
from tests.test_data_page import read, said
from tfft import cli


def call(monkeypatch, capsys, *arguments):
    """Run the command line in this process; return exit code, output and errors."""
    monkeypatch.setattr(sys, "argv", ["tfft", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code or 0, *capsys.readouterr()


def lines(output):
    return [" ".join(line.replace("│", " ").split()) for line in output.splitlines()]


def config(folder, preset, data, **sections):
    content = {"data": data, "backbone": {"preset": str(preset), "sequence_length": 12}, **sections}
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_console_and_the_page(toy_config, tmp_path, monkeypatch, capsys, caplog):
    before, page = files(tmp_path), tmp_path / "page.html"
    code, output, _ = call(
        monkeypatch, capsys, "data", "preview", toy_config, "--rows", 3, "--html", page,
        "--set", "backbone.sequence_length=6", "--set", "preparation=[placeholders]",
    )  # fmt: skip
    assert code == 0
    assert f"Page: {page}" in caplog.text
    assert files(tmp_path) == sorted([*before, "page.html"]), "nothing but the page is left"
    shown = lines(output)
    assert len([line for line in shown if re.match(r"row \d+ of train", line)]) == 3
    assert {"bad 40 50.0%", "good 40 50.0%"} <= set(shown)
    # Rows have 2 to 10 tokens in turn, so of 80 rows cut at 4, 9 lack two tokens and 9 lack one.
    assert {"longest 10", "all padded to 6 5.6%"} <= set(shown)
    assert "sequence length so that at most 0% are cut 12" in shown
    assert max(map(len, output.splitlines())) <= 100
    assert "toy: what the model will see of train" in said(read(page))
    again = call(monkeypatch, capsys, "data", "preview", toy_config, "--rows", 3,
                 "--set", "backbone.sequence_length=6", "--set", "preparation=[placeholders]")  # fmt: skip
    assert again[:2] == (0, output), "a seed draws the rows"


def test_another_split_and_no_page_by_default(toy_config, tmp_path, monkeypatch, capsys):
    before = files(tmp_path)
    code, output, _ = call(
        monkeypatch, capsys, "data", "preview", toy_config, "--split", "test", "--rows", 99
    )
    assert code == 0
    assert files(tmp_path) == before
    assert len([line for line in lines(output) if re.match(r"row \d+ of test", line)]) == 20
    assert "of train whose text stands in test" in output


def test_what_a_row_holds_reaches_the_page_as_text(tmp_path, tiny_preset, monkeypatch, capsys):
    nasty = """<script>alert('1')</script> ]]> "good" film"""
    write_csv(tmp_path / "rows.csv", [(nasty, "<b>good</b>"), ("bad &amp; film", "bad")] * 10)
    path = config(tmp_path, tiny_preset, {"train": str(tmp_path / "rows.csv")}, preparation=["html_entities"])
    page = tmp_path / "page.html"
    code, output, _ = call(monkeypatch, capsys, "data", "preview", path, "--rows", 20, "--html", page)
    assert code == 0
    found = read(page)
    assert not {tag for tag, _ in found.elements} & {"script", "b"}
    assert said(found).count(nasty) == 9
    assert "[-amp;-]" in output
    assert ("del", "amp;") in found.text


@pytest.mark.parametrize(
    ("task", "text", "label", "told"),
    [
        (
            "multi_label",
            ["t", "{u}: {v}"],
            "many",
            [
                "v plot",
                "joined b bad: plot",
                "y 32 80.0%",
                "rows by their labels: 0 4",
                "labels of a row, mean 1.30",
            ],
        ),
        ("regression", "t", "number", ["mean 2", "standard deviation 1.41421", "lowest 0", "highest 4"]),
        ("ordinal", "{t} {u}", "number", ["u bad", "4 8 20.0%", "joined good film NUMBER bad"]),
    ],
)
def test_every_task_pairs_and_templates(tmp_path, tiny_preset, monkeypatch, capsys, task, text, label, told):
    rows = [
        {
            "t": f"good film {number}",
            "u": "bad",
            "v": "plot",
            "many": ["x"] * (number % 2) + ["y"] * (number % 5 > 0),
            "number": number % 5,
        }
        for number in range(40)
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    data = {"train": str(file), "validation": str(file), "source": "jsonl"}
    path = config(tmp_path, tiny_preset, data | {"text_column": text, "label_column": label}, task=task)
    code, output, errors = call(monkeypatch, capsys, "data", "preview", path, "--rows", 1)
    assert code == 0, errors
    shown = lines(output)
    number = int(shown[0].split()[1]) - 1
    assert f"{label} {', '.join(rows[number]['many']) if label == 'many' else number % 5}".strip() in shown
    for line in told:
        assert line.replace("NUMBER", str(number)) in shown, line
    assert "whose text stands in validation, too 40" in shown


def test_words_and_their_tags(tmp_path, tiny_preset, monkeypatch, capsys):
    row = {"tokens": ["the", "great", "film"], "tags": ["O", "B-praise", "O"]}
    (tmp_path / "rows.jsonl").write_text((json.dumps(row) + "\n") * 20, encoding="utf-8")
    data = {"source": "jsonl", "train": str(tmp_path / "rows.jsonl")}
    path = config(tmp_path, tiny_preset, data, task="token_classification")
    code, output, _ = call(
        monkeypatch, capsys, "data", "preview", path, "--html", tmp_path / "page.html", "--rows", 1
    )
    assert code == 0
    shown = lines(output)
    assert "words the/O great/B-praise film/O" in shown
    assert {"O 36 66.7%", "B-praise 18 33.3%"} <= set(shown)
    assert "B-praise" in said(read(tmp_path / "page.html"))


def test_windows(toy_config, tmp_path, monkeypatch, capsys):
    code, output, _ = call(
        monkeypatch, capsys, "data", "preview", toy_config, "--html", tmp_path / "page.html",
        "--set", "backbone.sequence_length=6", "--set", "backbone.windows={at_most: 2, overlap: 1}",
    )  # fmt: skip
    assert code == 0
    # 2 to 10 tokens in turn; windows of 4 with one shared hold 7 in two, 10 in three.
    shown = lines(output)
    assert {
        "windows so that at most 0% are cut 3",
        "rows that sequence length 6 in 2 windows cuts 26 (32.5%)",
    } <= set(shown)
    assert "in 2 windows" in said(read(tmp_path / "page.html"))


def test_batches_are_those_of_training(tmp_path, tiny_preset, monkeypatch, capsys):
    lengths = [1] * 36 + [8] * 4
    labels = ["short"] * 36 + ["long"] * 4
    with open(tmp_path / "rows.csv", "w", encoding="utf-8") as stream:
        stream.write("text,label,sure\n")
        stream.writelines(
            f"{' '.join(['good'] * length)},{label},0.5\n"
            for length, label in zip(lengths, labels, strict=True)
        )
    file = str(tmp_path / "rows.csv")
    data = {"train": file, "validation": file, "weight_column": "sure"}
    path = config(tmp_path, tiny_preset, data, training={"batch_size": 4})

    def padding(*arguments):
        code, output, errors = call(monkeypatch, capsys, "data", "preview", path, "--rows", 1, *arguments)
        assert code == 0, errors
        shown = lines(output)
        assert ("sure 0.5" in shown) == ("validation" not in arguments)
        (made,) = [line for line in shown if line.startswith("as they are made")]
        widths = [line for line in shown if line.startswith("of those made, 9 to 12")]
        return made, widths

    # 36 rows of 3 tokens and 4 of 10, in batches of 4 that none shares.
    made = "as they are made, of like length 10 0.0%"
    assert padding() == (made, ["of those made, 9 to 12 tokens wide 1 4 0.0%"])
    assert padding("--split", "validation") == (made, ["of those made, 9 to 12 tokens wide 1 4 0.0%"])
    # XLA wants multiples of 32, of which sequence length 12 leaves 12.
    compiled = f"as they are made, of like length 10 {1 - (36 * 3 + 4 * 10) / (40 * 12):.1%}"
    assert padding("--set", "training.jit=on")[0] == compiled
    # All labels are drawn equally often: about half of the rows are long.
    _, (drawn,) = padding("--set", "training.sampling_exponent=0")
    assert int(drawn.split()[-2]) > 10


@pytest.mark.parametrize("name", ["RobertaBackbone", "XLMRobertaBackbone"])
def test_other_tokenizers(tmp_path, name, monkeypatch, capsys):
    (tmp_path / "preset").mkdir()
    tiny.write(tmp_path / "preset", name)
    write_csv(tmp_path / "rows.csv", [("good film", "good"), ("bad Ω 好", "bad")] * 10)
    path = config(tmp_path, tmp_path / "preset", {"train": str(tmp_path / "rows.csv")})
    code, output, errors = call(monkeypatch, capsys, "data", "preview", path)
    assert code == 0, errors
    shown = " ".join(lines(output))
    assert "<s>/0" in shown
    if name == "RobertaBackbone":
        assert "none can be" in shown
        assert "good/" in shown
        assert r"\xe5/" in shown
    else:
        assert "Unknown tokens: 18 " in shown
        assert "<unk>/3" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--split", "test"],
            "--split: must be a split of the config, got 'test'. It has train, validation.",
        ),
        (["--html", "there.html"], "there.html exists, and is not written over."),
        (["--html", "gone/page.html"], "gone/page.html cannot be written: its folder does not exist."),
        (["--set", "training.epochs=0"], "training.epochs: must be at least 1, got 0"),
        (["--rows", "0"], "Invalid value for '--rows'"),
    ],
)
def test_what_cannot_be_shown_is_told_before_a_model_is_loaded(
    tmp_path, monkeypatch, capsys, arguments, message
):
    write_csv(tmp_path / "rows.csv", [("good film", "good"), ("bad", "bad")] * 10)
    (tmp_path / "there.html").write_text("mine")
    path = config(tmp_path, "./never_read", {"train": str(tmp_path / "rows.csv")})
    before = files(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, output, errors = call(monkeypatch, capsys, "data", "preview", path, *arguments)
    assert (code, output) == (2, "")
    assert message in errors
    assert "Traceback" not in errors
    assert files(tmp_path) == before
    assert (tmp_path / "there.html").read_text() == "mine"


def test_the_help_of_the_command_has_its_options_and_an_example(monkeypatch, capsys):
    code, output, _ = call(monkeypatch, capsys, "data", "preview", "--help")
    assert code == 0
    for part in ("--split", "--rows", "--html", "--set", "tfft data preview configs/"):
        assert part in output


def test_real_messages_have_entities_and_leftovers(shared, tmp_path, tiny_preset, monkeypatch, capsys):
    folder = shared / "data" / "sms_spam"
    data = {split: str(folder / f"{split}.csv") for split in ("train", "validation", "test")}
    path = config(tmp_path, tiny_preset, data, preparation=["html_entities"])
    code, output, _ = call(monkeypatch, capsys, "data", "preview", path, "--rows", 1)
    shown = lines(output)
    assert code == 0
    assert "HTML entities 555 252 0 html_entities" in shown
    assert "Windows-1252 leftovers 44 30 44 cp1252" in shown
    assert "&gt; x243, &lt; x242, &amp;" in shown
    assert "of validation whose text stands in train 60" in shown


def test_an_empty_real_review_is_reported(shared, tmp_path, tiny_preset, monkeypatch, capsys):
    folder = shared / "data" / "chnsenticorp_hotel"
    data = {"train": str(folder / "train.csv"), "validation": str(folder / "validation.csv")}
    path = config(tmp_path, tiny_preset, data)
    code, _, errors = call(monkeypatch, capsys, "data", "preview", path, "--rows", 1)
    assert code == 2
    assert "train.csv:5102: 'text' is empty" in errors
    sets = ["--set", "data.on_bad_row=skip"]
    code, output, _ = call(monkeypatch, capsys, "data", "preview", path, "--rows", 1, *sets)
    assert code == 0
    assert "Bad rows that are left out: 1; the first:" in output
    assert "5102: 'text' is empty" in " ".join(lines(output))
