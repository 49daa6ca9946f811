"""Each task from a config to an export that answers raw text, on toys that a word decides."""

import csv
import json
import random

import numpy as np
import pytest
import tensorflow as tf

import tfft
from tests.conftest import FILLERS
from tfft.errors import DataError, SettingError

pytestmark = pytest.mark.usefixtures("unproved")


def filled(dice, *words):
    """Return a text that holds the words among others."""
    tokens = [*words, *(dice.choice(FILLERS) for _ in range(dice.randint(1, 5)))]
    dice.shuffle(tokens)
    return " ".join(tokens)


def written(folder, preset, name, header, rows, **data):
    """Write rows as csv or jsonl, and a config over them."""
    if name.endswith(".csv"):
        with open(folder / name, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *rows])
    else:
        lines = [json.dumps(dict(zip(header, row, strict=True))) for row in rows]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {
        "data": {"train": str(folder / name), "validation": 0.2, "test": 0.2} | data,
        "backbone": {"preset": str(preset), "sequence_length": 24},
        "optimizer": {"learning_rate": 2e-2},
        "training": {"epochs": 8, "batch_size": 16},
        "callbacks": [],
        "run": {"directory": str(folder / "run")},
    }
    path = folder / "toy.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # which is YAML, too
    return path


def both_answer_alike(run, rows):
    """Return the export's answers, which are those of the run folder."""
    by_export, by_run = tfft.predict(run.export, rows), tfft.predict(run.directory, rows)
    for one, other in zip(by_export, by_run, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert value == (
                pytest.approx(other[name], abs=1e-5) if name in ("score", "rank") else other[name]
            )
    return by_export


def test_several_labels(tmp_path, tiny_preset, monkeypatch):
    monkeypatch.undo()  # this one is proved in a clean process
    dice = random.Random(0)
    words = {"good": "praise", "bad": "blame", "actor": "cast"}
    rows = []
    for _ in range(200):
        chosen = [word for word in words if dice.random() < 0.4]
        others = [word for word in FILLERS if word != "actor"]
        rows.append((" ".join([*chosen, dice.choice(others)]), [words[word] for word in chosen]))
    config = written(tmp_path, tiny_preset, "rows.jsonl", ("text", "labels"), rows, source="jsonl")
    run = tfft.train(
        config,
        ["task=multi_label", "threshold={}", "backbone.dropout=0", "head.dropout=0", "training.epochs=24"],
    )
    # Whoever answers all labels always has 2 * 0.4 / 1.4 = 0.57.
    assert run.figures["test"]["f1_micro"] > 0.75
    answers = both_answer_alike(run, [text for text, _ in rows])
    assert {len(answer["labels"]) for answer in answers} >= {0, 1, 2}
    for answer in answers:
        assert len(answer["scores"]) == len(answer["labels"])
        assert answer["scores"] == sorted(answer["scores"], reverse=True)
    right = sum(
        sorted(answer["labels"]) == sorted(labels) for answer, (_, labels) in zip(answers, rows, strict=True)
    )
    assert right > 120
    assert tfft.evaluate(run.directory) == run.figures["test"]


def test_a_number_of_a_pair(tmp_path, tiny_preset):
    dice = random.Random(0)
    rows = []
    for _ in range(160):
        good, bad = dice.randrange(3), dice.randrange(3)
        score = 100 + 10 * (good - bad)
        rows.append((filled(dice, *["good"] * good), " ".join(["bad"] * bad + ["film"]), str(score)))
    config = written(
        tmp_path, tiny_preset, "rows.csv", ("first", "second", "score"), rows,
        text_column=["first", "second"], label_column="score",
    )  # fmt: skip
    run = tfft.train(config, ["task=regression", "head.pooling=mean", "training.epochs=24"])
    figures = run.figures["test"]
    assert figures["rmse"] < 0.7 * figures["rmse_of_the_mean"]
    answers = both_answer_alike(
        run, [{"text_a": "good good", "text_b": "film"}, {"text_a": "the", "text_b": "bad bad film"}]
    )
    assert answers[0]["score"] > 100 > answers[1]["score"]
    served = tf.saved_model.load(str(run.export)).signatures["serving_default"]
    assert set(served.structured_input_signature[1]) == {"text_a", "text_b"}
    assert served.structured_outputs.keys() == {"score"}
    assert "rmse" in (run.directory / "history.csv").read_text()


def test_labels_in_an_order_of_a_template(tmp_path, tiny_preset):
    dice = random.Random(0)
    order = ["low", "mid", "high"]
    words = {"low": "bad", "mid": "fine", "high": "great"}
    rows = []
    for number in range(180):
        label = order[number % 3]
        rows.append((filled(dice, words[label]), filled(dice, "film"), label))
    config = written(
        tmp_path, tiny_preset, "rows.csv", ("title", "body", "label"), rows, text_column="{title} . {body}"
    )
    run = tfft.train(config, ["task={name: ordinal, order: [low, mid, high]}"])
    assert run.figures["test"]["accuracy"] > 0.8
    answers = both_answer_alike(run, [{"title": words[label], "body": "film"} for label in order])
    assert [answer["label"] for answer in answers] == order
    assert answers[0]["rank"] < answers[1]["rank"] < answers[2]["rank"]
    wrong = (run.directory / "evaluation" / "test-wrong.csv").read_text().splitlines()
    assert wrong[0] == '"row","label","predicted","title","body"'


def test_one_label_of_a_pair(tmp_path, tiny_preset):
    # The second text decides, whatever the first one says.
    dice = random.Random(0)
    rows = []
    for _ in range(300):
        first, second = (dice.choice(["good", "bad"]) for _ in range(2))
        rows.append((filled(dice, first), filled(dice, second), second))
    config = written(tmp_path, tiny_preset, "rows.csv", ("a", "b", "label"), rows, text_column=["a", "b"])
    run = tfft.train(config, ["head.hidden_layers=[16]", "training.epochs=14"])
    assert run.figures["test"]["accuracy"] > 0.9
    fresh = [
        {"text_a": filled(dice, first), "text_b": filled(dice, second)}
        for first, second in [("good", "bad"), ("bad", "good")] * 30
    ]
    answers = both_answer_alike(run, fresh)
    assert (
        sum(row["label"] in given["text_b"].split() for row, given in zip(answers, fresh, strict=True)) > 50
    )


def test_texts_are_prepared_in_training_and_in_the_export_alike(toy_config, tmp_path, monkeypatch):
    monkeypatch.undo()  # the clean process has the lookup table of the stop words, too
    (tmp_path / "words.txt").write_text("film\nplot\n")
    finished = tfft.train(
        toy_config,
        [f"preparation=[html_entities, {{name: stop_words, words: {tmp_path}/words.txt}}]",
         "optimizer.learning_rate=0.02", "training.epochs=4"],
    )  # fmt: skip
    (tmp_path / "words.txt").unlink()  # the words are in the run and in the export
    rows = ["good", "the film was g&#111;od", "awful", "the plot was &#97;wful"]
    answers = both_answer_alike(finished, rows)
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
    assert answers[0]["score"] != answers[2]["score"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "loss=mean_squared_error",
            "loss: must be a loss for the task text_classification, got 'mean_squared",
        ),
        ("task=regression", r"data\.train: row 1 has 'bad' where a number is expected"),
        ("task=multi_label", r"labels"),
        ("task=ordinal", r"task\.order: must be set"),
    ],
)
def test_what_does_not_fit_the_task_is_told(toy_config, tmp_path, override, message):
    with pytest.raises(Exception, match=message):
        tfft.train(toy_config, [override])
    assert not (tmp_path / "run").exists()


def test_labels_cannot_be_balanced_where_there_are_none(tmp_path, tiny_preset):
    rows = [("good", str(number)) for number in range(20)]
    config = written(tmp_path, tiny_preset, "rows.csv", ("text", "label"), rows)
    with pytest.raises(
        SettingError, match=r"training\.class_weights: must not be set with the task regression"
    ):
        tfft.train(config, ["task=regression", "training.class_weights=balanced"])
    with pytest.raises(SettingError, match="threshold: must not be set with a task that decides nothing"):
        tfft.train(config, ["task=regression", "threshold={}"])


def test_rows_without_a_column_are_told(trained):
    from tfft.errors import DataError

    with pytest.raises(DataError, match=r"Row 2 has no 'text'; this model reads text\. Give each row as"):
        tfft.predict(trained.export, ["x", {"txt": "y"}])
    assert np.isfinite(tfft.predict(trained.export, [{"text": "y"}])[0]["score"])


def tagged(dice, count):
    """Return sentences in which `good` begins a praise that `great` goes on with, and `bad` is a blame."""
    rows = []
    for _ in range(count):
        words, tags = [], []
        for _ in range(dice.randint(2, 5)):
            part = dice.choice(["praise", "long praise", "blame", "none", "none"])
            if part == "none":
                words.append(dice.choice(FILLERS))
                tags.append("O")
            elif part == "blame":
                words.append("bad")
                tags.append("B-blame")
            else:
                length = 2 if part == "long praise" else 1
                words += ["good", "great"][:length]
                tags += ["B-praise", "I-praise"][:length]
        rows.append((words, tags))
    return rows


def test_a_tag_for_each_word(tmp_path, tiny_preset, monkeypatch):
    monkeypatch.undo()  # this one is proved in a clean process
    rows = tagged(random.Random(0), 200)
    config = written(tmp_path, tiny_preset, "rows.jsonl", ("tokens", "tags"), rows, source="jsonl")
    run = tfft.train(config, ["task=token_classification"])
    figures = run.figures["test"]
    assert figures["f1_micro"] > 0.9
    assert [row["kind"] for row in figures["kinds"]] == ["blame", "praise"]
    assert tfft.evaluate(run.directory) == figures
    text = " The good great film was BAD"
    (found,) = both_answer_alike(run, [text])
    assert found["words"] == text.split()
    assert [text[a:b] for a, b in zip(found["starts"], found["ends"], strict=True)] == found["words"]
    assert found["entity_texts"] == ["good great", "BAD"]
    assert found["entity_kinds"] == ["praise", "blame"]
    assert [text[a:b] for a, b in zip(found["entity_starts"], found["entity_ends"], strict=True)] == (
        found["entity_texts"]
    )
    assert found["entity_scores"][0] == pytest.approx(min(found["scores"][1:3]))


def test_windows_read_a_text_to_its_end(tmp_path, tiny_preset):
    dice = random.Random(0)
    rows = []
    for number in range(160):
        word = dice.choice((["good", "great"], ["bad", "awful"])[number % 2])
        filler = [dice.choice(FILLERS) for _ in range(dice.randint(0, 14))]
        rows.append((" ".join([*filler, word]), ("no", "yes")[number % 2]))
    config = written(tmp_path, tiny_preset, "rows.csv", ("text", "label"), rows)
    run = tfft.train(
        config, ["backbone.sequence_length=8", "backbone.windows={at_most: 3, overlap: 1, pooling: max}"]
    )
    # Of six tokens at a time; one window would not see the last word of most rows.
    assert run.figures["test"]["accuracy"] > 0.9
    both_answer_alike(run, [text for text, _ in rows[:40]])
    lengths = json.loads((run.directory / "lengths.json").read_text(encoding="utf-8"))
    assert (lengths["room"], lengths["cut"]) == (16, 0)
    assert tfft.evaluate(run.directory) == run.figures["test"]


def test_tags_with_all_that_may_be_laid_around_training(tmp_path, tiny_preset):
    rows = tagged(random.Random(0), 40)
    config = written(tmp_path, tiny_preset, "rows.jsonl", ("tokens", "tags"), rows, source="jsonl")
    common = ["task=token_classification", "backbone.dropout=0", "head.dropout=0", "training.epochs=2"]
    plain = tfft.train(config, common)
    pieces = tfft.train(
        config, [*common, "training.micro_batch_size=5", f"run.directory={tmp_path / 'pieces'}"]
    )
    # The update is that of the whole batch, whatever the lengths of the rows.
    assert pieces.figures["test"]["loss"] == pytest.approx(plain.figures["test"]["loss"], rel=1e-3)
    around = ["loss=focal", "regularizers=[r_drop]", "freeze=all_but_biases", "training.jit=on"]
    other = tfft.train(config, [*common, *around, f"run.directory={tmp_path / 'around'}"])
    assert other.figures["test"]["loss"] != plain.figures["test"]["loss"]
    frozen = tfft.train(config, [*common, "freeze=all", f"run.directory={tmp_path / 'frozen'}"])
    assert frozen.figures["test"]["loss"] < np.log(4) * 1.2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data.text_column=[tokens, tags2]"], r"data\.text_column.*must be the name of one column of words"),
        (["head.pooling=cls"], r"head\.pooling.*must be auto with the task token_classification"),
        (["backbone.truncation=tail"], r"backbone\.truncation.*must be head with the task"),
        (["backbone.windows={}"], r"backbone\.windows.*must be null with the task"),
        (["training.class_weights=balanced"], r"training\.class_weights.*rows have not one label each"),
        (["threshold={}"], r"threshold.*must not be set with a task that decides nothing"),
        (["loss=huber"], r"loss.*must be a loss for the task token_classification"),
    ],
)
def test_what_has_no_effect_on_tags_is_refused(tmp_path, tiny_preset, settings, message):
    rows = [(words, tags, tags) for words, tags in tagged(random.Random(0), 20)]
    config = written(tmp_path, tiny_preset, "rows.jsonl", ("tokens", "tags", "tags2"), rows, source="jsonl")
    with pytest.raises(SettingError, match=message):
        tfft.train(config, ["task=token_classification", *settings])
    assert not (tmp_path / "run").exists()


def test_a_row_without_a_tag_for_each_word_is_told(tmp_path, tiny_preset):
    rows = [*tagged(random.Random(0), 20), (["good", "film"], ["B-praise"])]
    config = written(tmp_path, tiny_preset, "rows.jsonl", ("tokens", "tags"), rows, source="jsonl")
    with pytest.raises(
        DataError, match=r"row 21 has 2 words and 1 tags; expected one tag for each word \(1 such"
    ):
        tfft.train(config, ["task=token_classification"])
