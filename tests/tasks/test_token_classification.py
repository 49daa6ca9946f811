"""Tests of tfft/tasks/token_classification.py."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from seqeval import metrics

from tfft import words
from tfft.errors import DataError
from tfft.tasks import Facts, token_classification

TASK = token_classification.build()
FACTS = Facts(("O", "B-a", "B-b", "I-a", "I-b"), scheme="BIO")


def tags(*chunks):
    return pa.chunked_array([pa.array(rows, pa.list_(pa.string())) for rows in chunks])


def test_tags_are_collected_with_outside_first_and_their_scheme():
    facts = TASK.collect(tags([["O", "B-x"], []], [["I-x", "B-a"]]))
    assert facts == Facts(("O", "B-a", "B-x", "I-x"), scheme="BIO")
    assert TASK.collect(tags([["I-x", "O"], ["I-x", "B-x"]])).scheme == "IOB1"
    assert TASK.collect(tags([["S-x", "O"], ["B-x", "E-x"]])).scheme == "BIOES"


def test_of_plain_tags_the_commonest_stands_first():
    facts = TASK.collect(tags([["DET", "NOUN"], ["NOUN"]]))
    assert facts == Facts(("NOUN", "DET"), scheme="plain")


def test_tags_are_encoded_row_by_row():
    found = TASK.encode(tags([["O", "B-b"], []], [["I-a"]]), FACTS, "data.test")
    assert found.flat.tolist() == [0, 2, 3]
    assert found.flat.dtype == np.int32
    assert found.lengths.tolist() == [2, 0, 1]
    with pytest.raises(DataError, match=r"data\.test: 1 row has a label that no training row has: 'B-z'"):
        TASK.encode(tags([["O", "B-z"]]), FACTS, "data.test")
    with pytest.raises(DataError, match=r"data\.test: no row has a word"):
        TASK.encode(tags([[], []]), FACTS, "data.test")


def batches(facts):
    dice = np.random.default_rng(0)
    for width in (7, 4, 1):
        ids = dice.integers(0, len(facts.labels), (9, width)).astype("int32")
        ids[np.arange(width) >= dice.integers(0, width + 1, 9)[:, None]] = -1
        logits = dice.normal(size=(9, width, len(facts.labels))).astype("float32")
        logits += 2 * np.eye(len(facts.labels), dtype="float32")[np.maximum(ids, 0)]
        yield ids, logits


def named(facts, rows):
    return [[facts.labels[i] for i in row] for row in rows]


@pytest.mark.parametrize("compiled", [False, True])
def test_figures_in_training_are_those_of_all_rows(compiled):
    f1, accuracy = TASK.outputs(FACTS, None).metrics()
    true, answers = [], []
    for ids, logits in batches(FACTS):
        for metric in (f1, accuracy):
            tf.function(metric.update_state, jit_compile=compiled)(tf.constant(ids), tf.constant(logits))
        true += [row[row >= 0] for row in ids]
        answers += [found[: (row >= 0).sum()].argmax(axis=1) for row, found in zip(ids, logits, strict=True)]
    wanted = metrics.f1_score(named(FACTS, true), named(FACTS, answers))
    assert 0.3 < wanted < 0.9
    assert float(f1.result()) == pytest.approx(wanted, rel=1e-6)
    right = np.concatenate(true) == np.concatenate(answers)
    assert float(accuracy.result()) == pytest.approx(right.mean(), rel=1e-6)


def test_of_plain_tags_f1_is_accuracy():
    facts = Facts(("NOUN", "VERB"), scheme="plain")
    f1, accuracy = TASK.outputs(facts, None).metrics()
    for ids, logits in batches(facts):
        f1.update_state(ids, logits)
        accuracy.update_state(ids, logits)
    assert float(f1.result()) == pytest.approx(float(accuracy.result()), rel=1e-6)


def test_the_loss_is_the_mean_over_words():
    loss = TASK.outputs(FACTS, None).loss
    ids, logits = next(batches(FACTS))
    logs = tf.nn.log_softmax(logits).numpy()
    wanted = -np.mean([logs[i, j, ids[i, j]] for i, j in zip(*np.nonzero(ids >= 0), strict=True)])
    assert float(loss(ids, logits)) == pytest.approx(wanted, rel=1e-5)


def answer(texts, ids, facts=FACTS, build=TASK):
    found = build.split(tf.constant(texts))
    width = max(map(len, ids))
    padded = [row + [0] * (width - len(row)) for row in ids]
    logits = 3.0 * tf.one_hot(padded, len(facts.labels))
    answers = build.outputs(facts, None).answer(logits, found, tf.constant(texts))
    return {
        name: np.char.decode(value.numpy().astype(bytes), "utf-8").tolist()
        if value.dtype == tf.string
        else value.numpy().tolist()
        for name, value in answers.items()
    }


def test_the_answer_has_words_and_entities_in_their_places():
    found = answer(["Zoë Ray, a-b saw  Ib.", "x"], [[1, 3, 0, 2, 0, 1, 0], [0]])
    assert found["words"] == [["Zoë", "Ray", ",", "a-b", "saw", "Ib", "."], ["x"] + [""] * 6]
    assert found["tags"] == [["B-a", "I-a", "O", "B-b", "O", "B-a", "O"], ["O"] + [""] * 6]
    assert found["starts"][0] == [0, 4, 7, 9, 13, 18, 20]
    assert found["ends"][0] == [3, 7, 8, 12, 16, 20, 21]
    assert found["entity_texts"] == [["Zoë Ray", "a-b", "Ib"], ["", "", ""]]
    assert found["entity_kinds"] == [["a", "b", "a"], ["", "", ""]]
    assert found["entity_starts"] == [[0, 9, 18], [0, 0, 0]]
    assert found["entity_ends"] == [[7, 12, 20], [0, 0, 0]]
    sure = np.exp(3) / (np.exp(3) + 4)
    np.testing.assert_allclose(found["entity_scores"], [[sure] * 3, [0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(found["scores"][1], [sure] + [0] * 6, rtol=1e-6)


def test_the_score_of_an_entity_is_its_least_sure_words():
    words_of = TASK.split(tf.constant(["a b c"]))
    logits = tf.constant([[[0.0, 9, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 5, 0]]])
    found = TASK.outputs(FACTS, None).answer(logits, words_of, tf.constant(["a b c"]))
    assert found["entity_scores"].numpy()[0] == pytest.approx([np.e / (np.e + 4)], rel=1e-6)


def test_plain_tags_have_no_entities():
    found = answer(["a b"], [[1, 0]], Facts(("NOUN", "VERB"), scheme="plain"))
    assert found["tags"] == [["VERB", "NOUN"]]
    assert not [name for name in found if name.startswith("entity")]


def test_a_text_without_words():
    found = answer(["", " "], [[], []])
    assert found["words"] == [[], []]
    assert found["entity_texts"] == [[], []]


def test_words_may_be_cut_at_white_space_alone():
    task = token_classification.build(words="white_space")
    assert task.split(tf.constant(["a, b."])).texts.to_list() == [[b"a,", b"b."]]
    assert isinstance(task.split(tf.constant(["a"])), words.Words)


def test_tags_without_the_text():
    outputs = TASK.outputs(FACTS, None)
    found = outputs.of_words(tf.constant([[[0.0, 1, 0, 0, 0], [0.0] * 5]]))
    assert found["tags"].numpy().tolist() == [[b"B-a", b"O"]]
    np.testing.assert_allclose(found["scores"], [[np.e / (np.e + 4), 0.2]], rtol=1e-6)
    assert outputs.of_examples == {}
