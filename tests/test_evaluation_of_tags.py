"""Tests of tfft/evaluation_of_tags.py."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import special
from seqeval import metrics

from tests.conftest import ragged_of
from tfft import evaluation_of_tags

TAGS = ("O", "B-a", "I-a")
WORDS = [["x", "y"], ["z"], [], ["u", "v", "w"]]


def report(ids, answers, tags=TAGS, scheme="BIO", sure=2.0):
    flat = [answer for row in answers for answer in row]
    logits = sure * np.eye(len(tags), dtype="float32")[flat]
    texts = pa.table({"text": pa.chunked_array([pa.array(WORDS, pa.list_(pa.string()))])})
    return evaluation_of_tags.report(logits, ragged_of(ids), texts, tags, scheme, "test")


def test_entities_by_hand_and_as_seqeval():
    true, answers = [[1, 2], [0], [], [1, 0, 1]], [[1, 2], [1], [], [1, 2, 1]]
    found = report(true, answers)
    assert next(iter(found.figures)) == "rows"
    assert found.figures["rows"] == 4
    assert found.figures["tokens"] == 6
    # Of three entities the first and the last are right; four are answered.
    assert (found.figures["true"], found.figures["predicted"], found.figures["right"]) == (3, 4, 2)
    named = ([[TAGS[i] for i in row] for row in rows] for rows in (true, answers))
    assert found.figures["f1_micro"] == pytest.approx(metrics.f1_score(*named))
    assert found.figures["token_accuracy"] == pytest.approx(4 / 6)
    logs = special.log_softmax([2.0, 0.0, 0.0])
    assert found.figures["loss"] == pytest.approx(-(4 * logs[0] + 2 * logs[1]) / 6)
    assert found.headline.startswith("test: entity F1 0.5714 (95 % interval ")
    assert found.headline.endswith("6 words in 4 rows")


def test_wrong_rows_are_told_with_their_words_the_highest_loss_first():
    wrong = report([[1, 2], [0], [], [1, 0, 1]], [[1, 0], [0], [], [0, 1, 0]]).wrong
    assert wrong.column_names == ["row", "tags", "predicted", "loss", "text"]
    assert wrong.drop_columns("loss").to_pylist() == [
        {"row": 4, "tags": "B-a O B-a", "predicted": "O B-a O", "text": "u v w"},
        {"row": 1, "tags": "B-a I-a", "predicted": "B-a O", "text": "x y"},
    ]
    assert wrong["loss"][0].as_py() > wrong["loss"][1].as_py()


def test_plain_tags():
    tags = ("NOUN", "VERB")
    found = report([[0, 1], [0], [], [0, 0, 1]], [[0, 1], [1], [], [0, 0, 1]], tags, "plain")
    assert found.figures["token_accuracy"] == pytest.approx(5 / 6)
    assert [row["tag"] for row in found.figures["tags"]] == ["NOUN", "VERB"]
    assert found.headline.startswith("test: accuracy 0.8333 (95 % interval ")
    assert found.wrong.num_rows == 1
