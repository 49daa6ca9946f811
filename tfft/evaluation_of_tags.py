"""Answers of a tag for each word, compared with the truth: figures, a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table
from rich.text import Text
from scipy import special

from tfft import entities
from tfft.ragged import Ragged
from tfft.tasks import Report


def report(
    logits: np.ndarray, ids: Ragged, texts: pa.Table, tags: Sequence[str], scheme: str, title: str
) -> Report:
    """Compare the answers with the truth.

    Args:
        logits: Of all words of all rows, float `[words, tags]`.
        ids: True tags of each row.
        texts: A column of the rows' words.
        tags: Names in the order of their ids.
        scheme: What `entities.scheme` returned.
        title: Of the rows.

    Returns:
        The figures of `entities.figures` and the mean `loss` of a word. Its rows with a wrong tag have
        `row`, `tags`, `predicted`, `loss` and the words, each joined by spaces, the highest loss first.

    """
    logs = special.log_softmax(logits.astype(np.float64), axis=1)
    losses = -logs[np.arange(len(ids.flat)), ids.flat]
    named = np.array(tags, dtype=object)
    edges = ids.offsets[1:-1]
    true, predicted = (
        [part.tolist() for part in np.split(named[one], edges)] for one in (ids.flat, logits.argmax(axis=1))
    )
    figures = entities.figures(true, predicted, scheme) | {"loss": float(losses.mean())}
    is_wrong = [a != b for a, b in zip(true, predicted, strict=True)]
    of_rows = np.array([float(part.sum()) for part in np.split(losses, edges)])
    rows = np.flatnonzero(is_wrong)
    rows = rows[np.argsort(-of_rows[rows], kind="stable")]
    words = texts.column(0)
    wrong = pa.table(
        {
            "row": rows + 1,
            "tags": pa.array([" ".join(true[row]) for row in rows], pa.string()),
            "predicted": pa.array([" ".join(predicted[row]) for row in rows], pa.string()),
            "loss": of_rows[rows],
            texts.column_names[0]: pa.array([" ".join(words[int(row)].as_py()) for row in rows], pa.string()),
        }
    )
    return Report(figures, _headline(figures, scheme, title), [_table(figures)], wrong)


def _headline(figures: dict[str, Any], scheme: str, title: str) -> str:
    words = f"{figures['tokens']} words in {figures['rows']} rows"
    accuracy = f"{figures['token_accuracy']:.4f}"
    if scheme == "plain":
        return (
            f"{title}: accuracy {accuracy} (95 % interval {figures['token_accuracy_95_low']:.4f}"
            f"-{figures['token_accuracy_95_high']:.4f}), macro F1 {figures['f1_macro']:.4f}, loss "
            f"{figures['loss']:.4f}, {words}"
        )
    return (
        f"{title}: entity F1 {figures['f1_micro']:.4f} (95 % interval {figures['f1_micro_95_low']:.4f}"
        f"-{figures['f1_micro_95_high']:.4f}), precision {figures['precision_micro']:.4f}, recall "
        f"{figures['recall_micro']:.4f}, accuracy of words {accuracy}, loss {figures['loss']:.4f}, {words}"
    )


def _table(figures: dict[str, Any]) -> Table:
    of, name = ("kinds", "kind") if "kinds" in figures else ("tags", "tag")
    table = Table(title=f"Per {name}", title_justify="left")
    for heading in (name, "precision", "recall", "F1", "true", "predicted", "right"):
        table.add_column(heading, justify="left" if heading == name else "right")
    for row in figures[of]:
        shown = [f"{row[key]:.3f}" for key in ("precision", "recall", "f1")]
        table.add_row(Text(row[name]), *shown, *(str(row[key]) for key in ("true", "predicted", "right")))
    return table
