"""A tag for each word of a text: its part of speech, or its place in an entity."""

from typing import Any, Literal

from tfft.errors import DataError
from tfft.tasks import Facts, Outputs, Report, Task, undecided


def build(*, words: Literal["punctuation", "white_space"] = "punctuation") -> Task:
    """Exactly one tag for each word, by the vector of its first piece and softmax.

    Rows are lists: words, as the data cut them, and as many tags. Tags of entities may be written as
    IOB1, BIO (IOB2), BIOES or BILOU; the scheme is told from the training rows. What counts is entities then,
    not words (Tjong Kim Sang & De Meulder 2003, "Introduction to the CoNLL-2003 Shared Task",
    https://aclanthology.org/W03-0419).

    Args:
        words: How the export cuts raw text into words. `punctuation` makes marks at the edges of a word,
            and each ideograph, words of their own; `white_space` cuts there alone, for a client that
            joins its own words by spaces.

    Returns:
        A task whose answer is, filled up by empty strings and zeros: `words` (string `[N, words]`), their
        `tags` and the tags' probabilities `scores`, and where they are in the text, `starts` and `ends`
        in characters; `probabilities` (float32 `[N, words, tags]`, in the order of the tags). Of entities
        also `entity_texts` (string `[N, entities]`), `entity_kinds`, `entity_scores` (the lowest of their
        words), `entity_starts` and `entity_ends`. A word that was cut off has the tag `O`, or the
        commonest one, and a score of one over the number of tags.
    """

    def split(texts: Any) -> Any:
        from tfft.words import by_punctuation, by_white_space

        return {"punctuation": by_punctuation, "white_space": by_white_space}[words](texts)

    return Task(
        columns=("tokens", "tags"),
        kind="tags",
        loss="cross_entropy",
        monitor="val_f1_micro",
        collect=_collect,
        encode=_encode,
        outputs=_outputs,
        check=undecided("token_classification"),
        tune=lambda *_: (None, ""),
        report=_report,
        split=split,
    )


def _collect(column: Any) -> Facts:
    from collections import Counter

    from tfft import entities, labels

    flat = labels.flat(column)
    names = labels.collect(flat)
    scheme = entities.scheme(column.to_pylist())
    # The first is answered where a word was cut off.
    first = "O" if "O" in names else Counter(flat.to_pylist()).most_common(1)[0][0]
    return Facts((first, *(name for name in names if name != first)), scheme=scheme)


def _encode(column: Any, facts: Facts, where: str) -> Any:
    import numpy as np
    import pyarrow.compute as pc

    from tfft import labels
    from tfft.ragged import Ragged

    ids = labels.encode(labels.flat(column), facts.labels, where)
    if not len(ids):
        raise DataError(f"{where}: no row has a word. Name other rows.")
    return Ragged(ids, np.cumsum([0, *pc.list_value_length(column).to_numpy()]))


def _outputs(facts: Facts, decision: Any) -> Outputs:
    import keras
    import tensorflow as tf

    from tfft import entity_marks
    from tfft.micro_f1 import MicroF1

    names = tf.constant([*facts.labels])
    is_entity = facts.scheme != "plain"

    class F1Micro(MicroF1):
        """F1 of the entities of all rows so far; of tags without entities, the share of right ones."""

        def update_state(self, ids, logits, sample_weight=None):
            answers = tf.where(ids >= 0, tf.argmax(logits, axis=-1, output_type=ids.dtype), -1)
            if is_entity:
                true, found = (entity_marks.find(one, facts.labels, facts.scheme) for one in (ids, answers))
                is_true, is_found = true.begins, found.begins
                is_alike = (true.kinds == found.kinds) & (true.lengths == found.lengths)
            else:
                is_true, is_found, is_alike = ids >= 0, answers >= 0, ids == answers
            self.count(right=is_true & is_found & is_alike, answers=is_found, truths=is_true)

    class WordAccuracy(keras.metrics.Mean):
        """Share of the words whose tag is right."""

        def update_state(self, ids, logits, sample_weight=None):
            is_right = tf.argmax(logits, axis=-1, output_type=ids.dtype) == ids
            # In one dimension: of more, Keras would take the mean of each row first.
            flat = (tf.reshape(tf.cast(which, tf.float32), [-1]) for which in (is_right, ids >= 0))
            super().update_state(*flat)

    def of_words(logits: Any) -> dict[str, Any]:
        probabilities = tf.nn.softmax(logits)
        return {
            "tags": tf.gather(names, tf.argmax(logits, axis=-1)),
            "scores": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        }

    def answer(logits: Any, words: Any, texts: Any) -> dict[str, Any]:
        probabilities = tf.nn.softmax(logits)
        is_word = tf.sequence_mask(words.texts.row_lengths())
        ids = tf.where(is_word, tf.argmax(logits, axis=-1, output_type=tf.int32), -1)
        scores = tf.where(is_word, tf.reduce_max(probabilities, axis=-1), 0.0)
        found = {
            "words": words.texts.to_tensor(""),
            "tags": tf.where(is_word, tf.gather(names, tf.maximum(ids, 0)), ""),
            "scores": scores,
            "starts": words.starts.to_tensor(0),
            "ends": words.ends.to_tensor(0),
            "probabilities": tf.where(is_word[:, :, None], probabilities, 0.0),
        }
        return found | (entities(ids, scores, words, texts) if is_entity else {})

    def entities(ids: Any, scores: Any, words: Any, texts: Any) -> dict[str, Any]:
        kinds = tf.constant([*entity_marks.kinds(facts.labels, facts.scheme), ""])  # at least one
        marks = entity_marks.find(ids, facts.labels, facts.scheme)

        def of_each(values: Any) -> Any:
            return tf.ragged.boolean_mask(values, marks.begins)

        first = of_each(tf.tile(tf.range(tf.shape(ids)[1])[None], [tf.shape(ids)[0], 1]))
        last = first + of_each(marks.lengths) - 1
        starts = tf.gather(words.starts.to_tensor(0), first, batch_dims=1)
        ends = tf.gather(words.ends.to_tensor(0), last, batch_dims=1)
        number, inside = tf.reshape(marks.numbers, [-1]), tf.where(marks.kinds >= 0, scores, 1.0)
        lowest = tf.math.unsorted_segment_min(tf.reshape(inside, [-1]), number, tf.size(number) + 1)
        whole = tf.gather(texts, starts.value_rowids())
        taken = tf.strings.substr(whole, starts.flat_values, (ends - starts).flat_values, unit="UTF8_CHAR")
        return {
            "entity_texts": starts.with_flat_values(taken).to_tensor(""),
            "entity_kinds": tf.gather(kinds, of_each(marks.kinds)).to_tensor(""),
            "entity_scores": tf.gather(lowest, of_each(marks.numbers)).to_tensor(0.0),
            "entity_starts": starts.to_tensor(0),
            "entity_ends": ends.to_tensor(0),
        }

    return Outputs(
        size=len(facts.labels),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1),
        metrics=lambda: [F1Micro(name="f1_micro"), WordAccuracy(name="accuracy")],
        modes={"f1_micro": "max", "accuracy": "max", "loss": "min"},
        answer=answer,
        of_words=of_words,
    )


def _report(logits: Any, targets: Any, facts: Facts, decision: Any, texts: Any, title: str) -> Report:
    from tfft import evaluation_of_tags

    return evaluation_of_tags.report(logits, targets, texts, facts.labels, facts.scheme, title)
