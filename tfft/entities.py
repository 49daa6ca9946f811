"""Entities from sequences of tags, and how well a tagger finds them.

A tag is `O`, outside of all entities, or the place in an entity and its kind, as in `B-person`.
The schemes differ in which places they tell apart:

| scheme | places | written for two persons side by side, of two tokens and one |
|---|---|---|
| `IOB1` | I, and B where an entity touches one of its kind before it | `I-person I-person B-person` |
| `BIO` (IOB2) | B for each first token, I for those after it | `B-person I-person B-person` |
| `BIOES` | also E for each last token, S for a single one | `B-person E-person S-person` |
| `BILOU` | the same, with L for E and U for S | `B-person L-person U-person` |
| `plain` | no entities: each token has a tag of its own, such as its part of speech | `NOUN NOUN NOUN` |

Sources: Ramshaw & Marcus 1995, "Text Chunking using Transformation-Based Learning", section 4.1
(IOB1; https://aclanthology.org/W95-0107); Tjong Kim Sang & Veenstra 1999, "Representing Text
Chunks", section 2 (IOB2; https://aclanthology.org/E99-1023); Ratinov & Roth 2009, "Design
Challenges and Misconceptions in Named Entity Recognition", section 4.1 (BILOU;
https://aclanthology.org/W09-1119).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from sklearn import metrics

from tfft import intervals
from tfft.errors import DataError

PLACES = {"IOB1": "BIO", "BIO": "BIO", "BIOES": "BIOES", "BILOU": "BILOU"}
"""The first letters of each scheme's tags."""

Span = tuple[str, int, int]
"""Kind, the first token, and the one after the last."""

_TAG = re.compile(r"(O)|([BIESLU])(?:-(.*))?", re.DOTALL)
_SAME = {"L": "E", "U": "S"}  # BILOU's letters for what BIOES has too


def scheme(sequences: Iterable[Sequence[str]]) -> str:
    """Return the scheme that sequences of tags are written in.

    Tags all of which are `O`, or one of B I E S L U with or without a hyphen and a kind, are
    those of entities; any others are `plain`. L or U tells `BILOU`, E or S `BIOES` (so IOE, which
    marks last tokens alone, is read as BIOES, whose rule gives its entities too). Without them it
    is `IOB1` if more entities begin with I than with a B that IOB1 would not write, which is one
    that does not touch an entity of its kind; else `BIO`. Where nothing tells them apart, as in
    data without an entity, that is `BIO`. Both are read by one rule, so the choice changes no figure.

    Args:
        sequences: The tags of each sentence.

    Raises:
        DataError: Some tags are those of entities (`O` and one with a kind occur) and some are
            not, or both of L, U and E, S occur: most likely a misspelling.
    """
    known = [list(tags) for tags in sequences]
    parts = {tag: _TAG.fullmatch(tag) for tag in {tag for tags in known for tag in tags}}
    strange = sorted(tag for tag, match in parts.items() if match is None)
    if strange:
        if "O" in parts and any(match and match[3] for match in parts.values()):
            raise DataError(
                f"The tag {strange[0]!r} is none of entities, though others are: expected O, or one of "
                f"B, I, E, S, L, U, a hyphen and a kind ({len(strange)} such tags). Correct it."
            )
        return "plain"
    places = {match[1] or match[2] for match in parts.values() if match}
    if places & set("ES") and places & set("LU"):
        raise DataError(
            f"The tags' first letters are {', '.join(sorted(places))}, expected those of one scheme: "
            "E and S are BIOES, L and U are BILOU. Write all in one."
        )
    if places & set("ES"):
        return "BIOES"
    if places & set("LU"):
        return "BILOU"
    begins: Counter[str] = Counter()
    for tags in known:
        found = spans(tags, "BIO")
        ends = {(kind, end) for kind, _, end in found}
        touches = {(kind, first) for kind, first, _ in found} & ends
        begins.update(tags[first][0] for kind, first, _ in found if (kind, first) not in touches)
    return "IOB1" if begins["I"] > begins["B"] else "BIO"


def split(tag: str, scheme: str) -> tuple[str, str]:
    """Return place and kind of a tag: a letter of BIOES, and `_` where there is none.

    Raises:
        DataError: The tag is not one of the scheme's.
    """
    match = _TAG.fullmatch(tag)
    place = (match[1] or match[2]) if match else ""
    if not match or place not in PLACES[scheme]:
        raise DataError(
            f"The tag {tag!r} is not one of {scheme}: expected O, or one of "
            f"{', '.join(PLACES[scheme].replace('O', ''))}, a hyphen and a kind. Correct it."
        )
    return _SAME.get(place, place), match[3] or "_"


def spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """Return the entities of one sentence, in their order.

    An ill-formed sequence is read as the CoNLL-2000 shared task's `conlleval` and seqeval's default
    mode do (Tjong Kim Sang & Buchholz 2000, https://aclanthology.org/W00-0726; Nakayama 2018,
    https://github.com/chakki-works/seqeval), so that figures compare: a token goes on with the
    entity before it if that token's place is B or I, its own is I or E, and the kinds are the
    same; otherwise it begins one, whatever its place. So

        I-a I-a       is one entity a, though none begins
        B-a I-b       is a and b, one token each
        E-a E-a       is two entities a
        B-a B-a E-a   is a of one token and a of two: an entity without its last token counts

    Args:
        tags: Of each token.
        scheme: What `scheme` returned, but `plain`, in which there are no entities.

    Returns:
        Kind, first token, and the one after the last; the kind of a tag without one is `_`.

    Raises:
        ValueError: `scheme` is none of entities.
        DataError: A tag is not one of the scheme's.
    """
    if scheme not in PLACES:
        raise ValueError(f"scheme must be one of {', '.join(PLACES)}, got {scheme!r}")
    found: list[Span] = []
    first, before, kind_before = 0, "O", "_"
    for index, tag in enumerate([*tags, "O"]):
        place, kind = split(tag, scheme)
        goes_on = before in "BI" and place in "IE" and kind == kind_before
        if before != "O" and not goes_on:
            found.append((kind_before, first, index))
        if place != "O" and not goes_on:
            first = index
        before, kind_before = place, kind
    return found


def figures(
    true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], scheme: str
) -> dict[str, object]:
    """Compare a tagger's answers with the truth.

    An entity is right if its kind, first and last token are. Precision, recall and F1 are
    scikit-learn's over the union of both sides' entities, 0 where they are undefined; the mean
    `macro` is over the kinds that occur on either side, `weighted` by the true ones.

    Args:
        true: Tags `[sentences][tokens]`, at least one token in all.
        predicted: Of the same tokens.
        scheme: What `scheme` returned.

    Returns:
        JSON-ready. For entities `rows` (sentences), `tokens`, `token_accuracy`, how many entities are
        `true`, `predicted` and `right`, `{precision,recall,f1}_{micro,macro,weighted}`, the
        bootstrap interval over sentences of `f1_micro`, and a table of `kinds`. For `plain` tags
        `rows`, `tokens`, `token_accuracy` with Wilson's interval (as if tokens were
        independent, so it is the narrowest that can be defended), `f1_macro` and `f1_weighted`
        over the tags that occur, and a table of `tags`.

    Raises:
        ValueError: Both do not have the same tokens, or have none.
        DataError: A tag is not one of the scheme's.
    """
    if [len(tags) for tags in true] != [len(tags) for tags in predicted] or not any(true):
        raise ValueError("true and predicted must be tags of the same tokens, at least one")
    true_tags = [tag for tags in true for tag in tags]
    predicted_tags = [tag for tags in predicted for tag in tags]
    right = sum(map(str.__eq__, true_tags, predicted_tags))
    counts = {"rows": len(true), "tokens": len(true_tags), "token_accuracy": right / len(true_tags)}
    if scheme == "plain":
        low, high = intervals.share(right, len(true_tags))
        means, table = _table("tag", true_tags, predicted_tags, sorted({*true_tags, *predicted_tags}))
        kept = {key: means[key] for key in ("f1_macro", "f1_weighted")}
        return {**counts, "token_accuracy_95_low": low, "token_accuracy_95_high": high, **kept, "tags": table}
    return counts | _figures_of_entities(true, predicted, scheme)


def _figures_of_entities(true, predicted, scheme: str) -> dict[str, object]:
    true_spans = [set(spans(tags, scheme)) for tags in true]
    predicted_spans = [set(spans(tags, scheme)) for tags in predicted]
    of_true = np.array([len(found) for found in true_spans])
    of_predicted = np.array([len(found) for found in predicted_spans])
    of_right = np.array([len(a & b) for a, b in zip(true_spans, predicted_spans, strict=True)])
    # Each entity that either side has is a row, called by its kind, or "" by the side that lacks it.
    kinds_true, kinds_predicted = [], []
    for a, b in zip(true_spans, predicted_spans, strict=True):
        for span in a | b:
            kinds_true.append(span[0] if span in a else "")
            kinds_predicted.append(span[0] if span in b else "")
    kinds = sorted({*kinds_true, *kinds_predicted} - {""})
    means, table = _table("kind", kinds_true, kinds_predicted, kinds)
    low, high = intervals.micro_f1(of_right, of_true, of_predicted)
    return {
        "true": int(of_true.sum()),
        "predicted": int(of_predicted.sum()),
        "right": int(of_right.sum()),
        **means,
        "f1_micro_95_low": low,
        "f1_micro_95_high": high,
        "kinds": table,
    }


def _table(
    heading: str, true: Sequence[str], predicted: Sequence[str], names: Sequence[str]
) -> tuple[dict[str, float], list[dict[str, object]]]:
    """Return the means over `names`, and a row of figures for each."""
    means = {}
    for average in ("micro", "macro", "weighted"):
        found = (
            metrics.precision_recall_fscore_support(
                true, predicted, labels=names, average=average, zero_division=0.0
            )
            if names
            else (0.0, 0.0, 0.0)  # of which scikit-learn has no mean
        )
        for key, value in zip(("precision", "recall", "f1"), found, strict=False):
            means[f"{key}_{average}"] = float(value)
    if not names:
        return means, []
    precision, recall, f1, rows = metrics.precision_recall_fscore_support(
        true, predicted, labels=names, zero_division=0.0
    )
    answers = Counter(predicted)
    right = Counter(a for a, b in zip(true, predicted, strict=True) if a == b)
    return means, [
        {
            heading: name,
            "precision": float(precision[index]),
            "recall": float(recall[index]),
            "f1": float(f1[index]),
            "true": int(rows[index]),
            "predicted": answers[name],
            "right": right[name],
        }
        for index, name in enumerate(names)
    ]
