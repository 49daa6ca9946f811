"""Tests of tfft/guess.py: hand-made columns for each rule, and all real data sets at hand."""

import pyarrow as pa
import pytest

from tfft import data_files, guess, sample
from tfft.errors import DataError, SettingError
from tfft.sample import Nested, Sample

TEXTS = [f"film number {number} was good" for number in range(12)]
OTHERS = [f"a much longer text on film number {number}, which was good" for number in range(12)]
WORDS = ["good", "bad", "fine"] * 4
IDS = [f"x{number}" for number in range(12)]
TAGS = ["a;b", "a", "b", "a;b;c", "c", "b;a", "a", "b", "c;a", "a", "a;c", "b"]


def of(columns, source="delimited", **said):
    return guess.columns(Sample(columns, 12, True), "f.csv", source, **said)


def parts(found) -> dict[str, str]:
    return {column.name: column.part for column in found.columns}


@pytest.mark.parametrize(
    ("columns", "texts", "label"),
    [
        ({"text": TEXTS, "label": WORDS}, ("text",), "label"),
        ({"label": WORDS, "text": TEXTS}, ("text",), "label"),
        # Names that say nothing: the longest texts, and what repeats.
        ({"v1": WORDS, "v2": TEXTS}, ("v2",), "v1"),
        ({"v1": TEXTS, "v2": OTHERS, "v3": WORDS}, ("v2",), "v3"),
        ({"v1": TEXTS, "v2": WORDS, "v3": ["x", "y"] * 6}, ("v1",), "v3"),
        # A usual name goes before the looks; `text` before all, else the longest of them.
        ({"text": TEXTS, "v2": OTHERS, "label": WORDS}, ("text",), "label"),
        ({"text": TEXTS, "content": OTHERS, "label": WORDS}, ("text",), "label"),
        ({"Title": TEXTS, "Content": OTHERS, "label": WORDS}, ("Content",), "label"),
        ({"title": IDS, "content": OTHERS, "label": WORDS}, ("content",), "label"),
        ({"text": TEXTS, "label": WORDS, "scenario": ["x", "y"] * 6}, ("text",), "label"),
        ({"text": TEXTS, "noisy_label": WORDS, "label": WORDS}, ("text",), "label"),
        ({"text": TEXTS, "label": ["0", "1"] * 6, "label_text": WORDS}, ("text",), "label_text"),
        ({"text": TEXTS, "category": IDS, "intent": WORDS}, ("text",), "intent"),
        ({"Review Text": TEXTS, "Rating": ["1", "5"] * 6}, ("Review Text",), "Rating"),
        # Not by their names: ids, weights, languages, splits.
        ({"text": TEXTS, "v": WORDS, "language": ["en", "de"] * 6}, ("text",), "v"),
        ({"text": TEXTS, "v": WORDS, "user_id": ["1", "2"] * 6, "split": ["train"] * 12}, ("text",), "v"),
        # One word a row is a text where its name says so.
        ({"text": IDS, "label": WORDS}, ("text",), "label"),
    ],
)
def test_the_text_and_the_label(columns, texts, label):
    found = of(columns)
    assert (found.texts, found.label, found.task) == (texts, label, "text_classification")
    assert found.types == {**dict.fromkeys(texts, pa.string()), label: pa.string()}


@pytest.mark.parametrize(
    ("names", "is_pair"),
    [
        (("premise", "hypothesis"), True),
        (("text_a", "text_b"), True),
        (("Sentence1", "Sentence2"), True),
        (("question", "answer"), True),
        (("claim_1", "claim_2"), True),
        (("s1", "s2"), True),
        (("title", "body"), False),
        (("one", "two"), False),
    ],
)
def test_a_pair_is_told_by_its_names(names, is_pair):
    found = of({names[0]: TEXTS, names[1]: OTHERS, "gold": WORDS})
    assert (found.texts == names) is is_pair
    assert found.label == "gold"


def test_a_pair_in_its_own_order_wherever_the_columns_stand():
    assert of({"hypothesis": TEXTS, "premise": OTHERS, "gold": WORDS}).texts == ("premise", "hypothesis")


def test_each_column_has_a_part_and_evidence():
    found = of({
        "row_id": IDS, "when": ["2024-01-02"] * 12, "text": TEXTS, "gold": WORDS, "weight": ["0.5"] * 12,
        "author": ["x"] * 12, "key": IDS, "extra": ["u", "v"] * 6, "deep": [Nested()] * 12,
        "none": [None] * 12,
    })  # fmt: skip
    assert {column.name: (column.part, column.evidence) for column in found.columns} == {
        "row_id": ("id", "left alone: so by its name"),
        "when": ("date", "left alone: dates"),
        "text": ("text", "7 tokens on the average, 12 values in 12 rows"),
        "gold": ("label", "3 values in 12 rows"),
        "weight": ("weight", "left alone: so by its name"),
        "author": ("group", "left alone: so by its name"),
        "key": ("id", "left alone: another value in each row"),
        "extra": ("other", "left alone: text, 2 different"),
        "deep": ("other", "left alone: neither text nor numbers"),
        "none": ("other", "left alone: empty"),
    }


MANY = [str(7 * number) for number in range(60)] * 2
LONG = [f"film number {number} was good" for number in range(120)]


@pytest.mark.parametrize(
    ("name", "values", "task", "evidence"),
    [
        ("label", WORDS, "text_classification", "'label' has 3 values in 12 rows"),
        ("label", ["0", "1"] * 6, "text_classification", "'label' has 2 values in 12 rows"),
        (
            "stars",
            ["1", "3", "5"] * 4,
            "text_classification",
            "'stars' has 3 values in 12 rows, whole numbers taken as names; if they have an order, --task "
            "ordinal or regression",
        ),
        ("label", ["1.0", "2.0", "3.0"] * 4, "text_classification", "'label' has 3 values in 12 rows"),
        (
            "label",
            ["0.5", "1"] * 6,
            "regression",
            "'label' holds numbers from 0.5 to 1, 2 different in 12 rows",
        ),
        (
            "x",
            [f"{n}.5" for n in range(12)],
            "regression",
            "'x' holds numbers from 0.5 to 11.5, 12 different",
        ),
        ("score", MANY, "regression", "'score' holds numbers from 0 to 413, 60 different in 120 rows"),
        # Sixty names that are numbered, and sixty points.
        (
            "label",
            [str(n) for n in range(60)] * 2,
            "text_classification",
            "'label' has 60 values in 120 rows",
        ),
        (
            "score",
            [str(n) for n in range(60)] * 2,
            "regression",
            "'score' holds numbers from 0 to 59, 60 diff",
        ),
        ("tags", TAGS, "multi_label", "fields of 'tags' hold several labels, with ';' between them"),
        (
            "v",
            [t.replace(";", "|") for t in TAGS],
            "multi_label",
            "fields of 'v' hold several labels, with '|'",
        ),
        (
            "v",
            [t.replace(";", ", ") for t in TAGS],
            "multi_label",
            "fields of 'v' hold several labels, with ','",
        ),
        (
            "tags",
            [t.replace(";", " ") for t in TAGS],
            "multi_label",
            "fields of 'tags' hold several labels, wit",
        ),
        # Commas within names: as many parts as names, or always as many parts.
        ("label", ["card, lost", "card, new", "cash"] * 4, "text_classification", "'label' has 3 values"),
        (
            "label",
            [f"{a};{b}" for a in "xy" for b in "pqr"] * 2,
            "text_classification",
            "'label' has 6 values",
        ),
        ("label", ["not good", "good", "so good"] * 4, "text_classification", "'label' has 3 values"),
    ],
)
def test_the_task_is_told_by_the_target(name, values, task, evidence):
    found = of({"text": LONG[: len(values)], name: values})
    assert (found.label, found.task) == (name, task)
    assert found.evidence.startswith(evidence)


def test_several_labels_in_a_field_are_read_by_their_separator():
    found = of({"text": TEXTS, "tags": TAGS})
    assert found.separator == ";"
    assert found.types == {"text": pa.string(), "tags": pa.list_(pa.string())}
    assert of({"text": TEXTS, "tags": [tag.replace(";", " ") for tag in TAGS]}).separator is None


def test_in_json_several_labels_must_be_a_list():
    found = of({"text": TEXTS, "tags": TAGS}, "jsonl")
    assert (found.task, found.separator) == ("text_classification", None)
    assert found.evidence.endswith('several labels of a row must be a list, as in ["a", "b"]')


def test_a_list_holds_several_labels():
    found = of({"text": TEXTS, "labels": [["a"], [], ["a", "b"]] * 4}, "jsonl")
    assert (found.task, found.evidence) == ("multi_label", "'labels' holds lists, of 2 labels in 12 rows")


TOKENS = [["film", str(number)] for number in range(12)]
NER = [["O", "B"]] * 12


@pytest.mark.parametrize(
    ("columns", "texts", "label"),
    [
        ({"tokens": TOKENS, "tags": NER}, "tokens", "tags"),
        ({"id": IDS, "ner_tags": NER, "tokens": TOKENS}, "tokens", "ner_tags"),
        ({"tokens": TOKENS, "pos_tags": NER, "ner_tags": NER}, "tokens", "ner_tags"),
        ({"text": TEXTS, "tokens": TOKENS, "tags": NER}, "tokens", "tags"),
        ({"a": NER, "b": TOKENS}, "b", "a"),  # the words are those with more variety
    ],
)
def test_two_lists_of_one_length_are_tokens_and_tags(columns, texts, label):
    found = of(columns, "jsonl")
    assert (found.task, found.texts, found.label) == ("token_classification", (texts,), label)
    assert found.types == dict.fromkeys((texts, label), pa.list_(pa.string()))
    assert (
        found.evidence
        == f"each row of {label!r} has as many as {texts!r} in each of 12 rows: a tag for each word"
    )


def test_tokens_and_tags_between_spaces_in_csv():
    columns = {"words": [" ".join(words) for words in TOKENS], "tags": ["O B"] * 12}
    assert of(columns).task == "token_classification"


def test_lists_of_other_lengths_are_no_tags():
    columns = {"text": TEXTS, "tokens": TOKENS, "tags": [*NER[:-1], ["O"]]}
    assert of(columns, "jsonl").task == "multi_label"


def test_lists_of_one_length_beside_a_text_are_labels_under_two_names():
    columns = {"text": TEXTS, "labels": [["1"], ["1", "2"]] * 6, "names": [["x"], ["x", "y"]] * 6}
    assert of(columns, "jsonl").task == "multi_label"


def test_the_user_names_the_tags():
    columns = {"tokens": TOKENS, "pos_tags": [["N", "X"]] * 12, "ner_tags": NER}
    found = of(columns, "jsonl", label="pos_tags")
    assert (found.task, found.label) == ("token_classification", "pos_tags")


def test_what_the_user_says_is_not_guessed():
    columns = {"title": TEXTS, "body": OTHERS, "label1": WORDS, "stars": ["1", "2"] * 6}
    found = of(columns, texts=["title"], label="stars", task="ordinal")
    assert (found.texts, found.label, found.task, found.evidence) == (
        ("title",),
        "stars",
        "ordinal",
        "as you say",
    )
    assert parts(found) == {"title": "text", "body": "other", "label1": "other", "stars": "label"}
    found = of(columns, texts=["{title}: {body}"], label="stars")
    assert found.texts == ("{title}: {body}",)
    assert [*found.types] == ["title", "body", "stars"]
    assert of(columns, texts=["body", "title"], label="stars").texts == ("body", "title")
    assert of(columns, task="regression", label="stars").task == "regression"
    assert of({"text": TEXTS, "score": [str(n) for n in range(12)]}, task="regression").label == "score"
    assert of(columns, task="multi_label", label="label1").types["label1"] == pa.list_(pa.string())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"label": "lable"},
            "--label-column: must be a column of the data, got 'lable'. Did you mean 'label'? The",
        ),
        (
            {"texts": ["txt"]},
            "--text-column: must be a column of the data, got 'txt'. Did you mean 'text'? The",
        ),
        ({"texts": ["{zzz}!"]}, "got 'zzz'. The columns are 'text', 'label', 'lists'."),
        ({"texts": ["{text"]}, "data.text_column: must be a template such as"),
        (
            {"texts": ["text"], "label": "text"},
            "--label-column: must not be a column of the text, got 'text'.",
        ),
        (
            {"task": "regression"},
            "--task: needs a number in each row in the column 'label', got 'regression'.",
        ),
        ({"task": "ordinal"}, "--task: needs whole numbers, which tell the order, in the column 'label'"),
        ({"task": "multi_label"}, "--task: needs a list in the column 'label', got 'multi_label'. Write the"),
        ({"task": "token_classification"}, "--task: needs a list as long as that of the words in the column"),
        (
            {"task": "text_classification", "label": "lists"},
            "--task: needs one value a row in the column 'lists'",
        ),
    ],
)
def test_what_the_user_says_must_fit(arguments, message):
    columns = {"text": TEXTS, "label": WORDS, "lists": [["a"], ["b"]] * 6}
    with pytest.raises(SettingError) as caught:
        of(columns, "jsonl", **arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": TEXTS}, "f.csv: one column only, 'text'; a text and its label are two. Add the other, or"),
        (
            {"a": WORDS, "b": ["1", "2"] * 6},
            "no column looks like a text of several words: 'a' (text, 3 different)",
        ),
        (
            {"text": TEXTS, "label": ["x"] * 12},
            "the column 'label' has one value only, 'x'; there is nothing to",
        ),
        (
            {"text": TEXTS, "v": ["x"] * 12},
            "the column 'v' has one value only, 'x'; there is nothing to learn.",
        ),
        (
            {"text": TEXTS, "label": IDS},
            "the column 'label' has another value in each of 12 rows, as ids have; a",
        ),
        (
            {"text": TEXTS, "id": IDS},
            "the column 'id' has another value in each of 12 rows, as ids have; a label",
        ),
        ({"text": TEXTS, "label": [None] * 12}, "the column 'label' is empty; a label is a text."),
        (
            {"text": TEXTS, "label": [Nested()] * 12},
            "the column 'label' is neither text nor numbers; a label is",
        ),
        ({"text": TEXTS, "v": ["a", "b", *IDS[2:]]}, "has another value in each of 12 rows"),
        (
            {"text": TEXTS, "v": ["a", "a", *IDS[2:]]},
            "f.csv: no column beside the text looks like a label, whose",
        ),
        (
            {"text": TEXTS, "labels": ["['a', 'b']", "['a']"] * 6},
            "has lists written as text, as in \"['a', 'b']\".",
        ),
        (
            {"text": TEXTS, "labels": [f'["{x}"]' for x in IDS]},
            "has lists written as text, as in '[\"x0\"]'.",
        ),
        (
            {"text": TEXTS, "rude": ["0", "1"] * 6, "mean": ["0", "1"] * 6, "bad": ["1", "0"] * 6},
            "the columns 'rude', 'mean', 'bad' hold 0 and 1, as if each were a label. Write the labels of a",
        ),
        (
            {"so good a film": TEXTS, "good": WORDS},
            "f.csv:1: the first row looks like data, not like the names of",
        ),
        (
            {"so good a film": TEXTS, "1": ["0", "1"] * 6},
            "columns: '1', which also stands in 6 of those below.",
        ),
        (
            {"one two three four five six seven eight nine": TEXTS, "u": WORDS},
            "f.csv:1: the first row looks like",
        ),
    ],
)
def test_columns_that_do_not_say_what_they_are(columns, message):
    with pytest.raises(DataError) as caught:
        of(columns)
    assert message in str(caught.value)


def test_a_header_may_hold_what_recurs_where_a_name_in_it_is_usual():
    assert of({"text": TEXTS, "spam": ["spam", "ham"] * 6}).label == "spam"
    assert of({"0": TEXTS, "1": ["0", "1"] * 6}).label == "1"


def test_one_label_in_a_part_of_a_long_file_is_the_users_to_name():
    part = Sample({"text": TEXTS, "v": ["x"] * 12}, 10_000_000, False)
    with pytest.raises(DataError, match=r"'v' has one value only, 'x', in the first part of the file, .*"):
        guess.columns(part, "f.csv", "delimited")
    assert guess.columns(part, "f.csv", "delimited", label="v").label == "v"


REAL = {
    "sst2": ("text_classification", ("text",), "label", {}),
    "banking77": ("text_classification", ("text",), "label", {}),
    "hwu64": ("text_classification", ("text",), "label", {"scenario": "other"}),
    "snips_intents": ("text_classification", ("text",), "label", {}),
    "sms_spam": ("text_classification", ("text",), "label", {}),
    "poem_sentiment": ("text_classification", ("text",), "label", {}),
    "hausa_news_noisy_labels": ("text_classification", ("text",), "label", {"noisy_label": "other"}),
    "chnsenticorp_hotel": ("text_classification", ("text",), "label", {}),
    "afrisenti_5lang": ("text_classification", ("text",), "label", {"language": "language"}),
    "query_wellformedness": ("regression", ("text",), "label", {}),
    "snli_sample": ("text_classification", ("text_a", "text_b"), "label", {}),
    "goemotions": ("multi_label", ("text",), "labels", {"id": "id"}),
    "wnut17_ner": ("token_classification", ("tokens",), "tags", {}),
    "ud_english_ewt_pos": ("token_classification", ("tokens",), "tags", {"id": "id"}),
}
WITHOUT_VALIDATION = {"banking77", "hwu64", "snips_intents"}


@pytest.mark.parametrize("name", REAL)
def test_real_data(shared, name):
    task, texts, label, left_alone = REAL[name]
    files = data_files.find(str(shared / "data" / name))
    assert files.name == name
    assert files.train.endswith(("/train.csv", "/train.jsonl"))
    assert files.test.endswith(("/test.csv", "/test.jsonl"))
    assert (files.validation is None) is (name in WITHOUT_VALIDATION)
    rows = sample.take(data_files.paths(files.train, files.source), files.source)
    found = guess.columns(rows, files.train, files.source["name"])
    assert (found.task, found.texts, found.label) == (task, texts, label)
    assert {
        column.name: column.part for column in found.columns if column.name not in (*texts, label)
    } == left_alone
