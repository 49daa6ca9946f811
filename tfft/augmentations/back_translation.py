"""Back translation: replace texts by paraphrases that were made before, as by a translator and back.

tfft does not translate; any program that writes one paraphrase on a line will do.

Source: Yu et al. 2018, "QANet", section 3: texts and their paraphrases by way of French and of
German did best when drawn 3 to 1 to 1. https://arxiv.org/abs/1804.09541. For classification: Xie et al.
2020, "Unsupervised Data Augmentation for Consistency Training". https://arxiv.org/abs/1904.12848
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from tfft.augmentations import Augmentation, Share, drawn, split_seed
from tfft.errors import DataError


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))


File = Annotated[Path, AfterValidator(_absolute)]


def build(*, files: Annotated[list[File], Field(min_length=1)], probability: Share = 0.4) -> Augmentation:
    """Replace texts by one of their paraphrases.

    A text without any stays as it is.

    Args:
        files: CSV or, with the ending `.tsv` or `.tab`, TSV, in UTF-8 with the columns `text`
            and `paraphrase`. The text is that of a training row, character for character; it
            may stand on several lines, with a paraphrase each.
        probability: That a text with paraphrases is replaced, by each of them as likely. The
            paper's best has 0.4.

    Raises:
        DataError: A file cannot be read or lacks a column, or all have no paraphrase.
    """
    import tensorflow as tf

    found = _read(files)
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(list(found), list(range(len(found))), tf.string, tf.int64), -1
    )
    paraphrases = tf.ragged.constant(list(found.values()))  # [texts, (paraphrases)]

    def augment(texts: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        seeds = split_seed(seed, 2)
        row = table.lookup(texts)
        is_changed = drawn(tf.shape(texts), probability, seeds[0]) & (row >= 0)
        row = tf.maximum(row, 0)
        count = tf.gather(paraphrases.row_lengths(), row)
        number = tf.random.stateless_uniform(tf.shape(texts), seeds[1])
        which = tf.gather(paraphrases.row_starts(), row) + tf.cast(
            number * tf.cast(count, tf.float32), tf.int64
        )
        return tf.where(is_changed, tf.gather(paraphrases.flat_values, which), texts)

    return augment


def _read(files: Sequence[Path]) -> dict[str, list[str]]:
    """Return the paraphrases of each text that has any besides itself."""
    found: dict[str, list[str]] = {}
    for path in files:
        delimiter = "\t" if path.suffix in (".tsv", ".tab") else ","
        try:
            with open(path, encoding="utf-8-sig", newline="") as stream:
                rows = csv.DictReader(stream, delimiter=delimiter, strict=True)
                columns = rows.fieldnames or ["none"]
                if not {"text", "paraphrase"} <= set(columns):
                    raise DataError(
                        f"augmentations.back_translation.files: {path} must have the columns text and "
                        f"paraphrase, but has {', '.join(columns)}. Correct its first line."
                    )
                for row in rows:
                    text, paraphrase = row["text"], row["paraphrase"]
                    if paraphrase and paraphrase.strip() and paraphrase != text:
                        found.setdefault(text, []).append(paraphrase)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(
                f"augmentations.back_translation.files: {path} must be a file of CSV or TSV in UTF-8, but "
                f"cannot be read: {error}. Correct the path or the file."
            ) from error
    if not found:
        raise DataError(
            f"augmentations.back_translation.files: {', '.join(map(str, files))} must have a paraphrase that "
            "is not empty and not the text itself, but have none. Fill them, or remove the augmentation."
        )
    return found
