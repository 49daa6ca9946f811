"""Tests of tfft/sources/tfds.py, on a data set that the library itself prepares on disk."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from tfft.errors import DataError, SettingError
from tfft.sources import tfds as source

TEXT, LIST = pa.string(), pa.list_(pa.string())
TWO = {"text": TEXT, "label": TEXT}
EXAMPLES = [
    {
        "text": f"text {number} é",
        "label": number % 2,
        "unknown": -1 if number == 3 else 0,
        "score": number / 4,
        "count": number,
        "is_long": number > 4,
        "tags": [2, 0, 1][: number % 4],
        "words": ["a", "b c"][: number % 3],
        "pair": [number, 7],
        "answers": [{"text": "x", "start": number}] * (number % 2),
        "meta": {"id": f"id {number}", "deep": {"depth": number}},
        "image": np.zeros((2, 2, 3), np.uint8),
    }
    for number in range(10)
]


@pytest.fixture(scope="session")
def tfds():
    return pytest.importorskip("tensorflow_datasets")


@pytest.fixture(scope="session")
def data_dir(tfds, tmp_path_factory):
    """A folder with the data set `toy`, its splits `train` of 10 rows and `test` of 4."""
    f = tfds.features

    class Toy(tfds.core.GeneratorBasedBuilder):
        """Rows with a column of each kind."""

        # Of a name with a dot the library asks importlib_resources, which it does not install.
        __module__ = "tests"
        VERSION = tfds.core.Version("1.2.0")

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                features=f.FeaturesDict(
                    {
                        "text": f.Text(),
                        "label": f.ClassLabel(names=["neg", "pos"]),
                        "unknown": f.ClassLabel(names=["told"]),
                        "score": np.float32,
                        "count": np.int64,
                        "is_long": np.bool_,
                        "tags": f.Sequence(f.ClassLabel(names=["O", "B", "I"])),
                        "words": f.Sequence(f.Text()),
                        "pair": f.Tensor(shape=(2,), dtype=np.int32),
                        "answers": f.Sequence({"text": f.Text(), "start": np.int32}),
                        "meta": {"id": f.Text(), "deep": {"depth": np.int32}},
                        "image": f.Image(shape=(2, 2, 3)),
                    }
                ),
            )

        def _split_generators(self, download):
            return {"train": self._generate_examples(10), "test": self._generate_examples(4)}

        def _generate_examples(self, count):
            yield from enumerate(EXAMPLES[:count])

    folder = tmp_path_factory.mktemp("tfds")
    Toy(data_dir=folder).download_and_prepare()
    return str(folder)


def read(where, columns, data_dir, dataset="toy", **options):
    """Return the good rows as tuples, and the reports as (row, reason)."""
    reports = []
    batches = list(
        source.rows(
            where,
            columns,
            lambda *report: reports.append(report),
            dataset=dataset,
            data_dir=data_dir,
            **options,
        )
    )
    assert all(batch.schema == pa.schema(list(columns.items())) for batch in batches)
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()], reports


def test_every_kind_of_column_is_what_the_library_reads_as_text(tfds, data_dir):
    columns = {
        "text": TEXT,
        "label": TEXT,
        "score": TEXT,
        "count": TEXT,
        "is_long": TEXT,
        "tags": LIST,
        "words": LIST,
        "pair": LIST,
        "answers/text": LIST,
        "answers/start": LIST,
        "meta/id": TEXT,
        "meta/deep/depth": TEXT,
    }
    expected = [
        (
            row["text"].decode(),
            ["neg", "pos"][row["label"]],
            str(float(row["score"])),
            str(row["count"]),
            "true" if row["is_long"] else "false",
            ["OBI"[tag] for tag in row["tags"]],
            [word.decode() for word in row["words"]],
            [str(number) for number in row["pair"]],
            [text.decode() for text in row["answers"]["text"]],
            [str(start) for start in row["answers"]["start"]],
            row["meta"]["id"].decode(),
            str(row["meta"]["deep"]["depth"]),
        )
        for row in tfds.as_numpy(tfds.load("toy", split="train", data_dir=data_dir, download=False))
    ]
    rows, reports = read("train", columns, data_dir)
    assert (rows, reports) == (expected, [])
    # Not only what the library says: what was written, by hand.
    assert sorted(rows)[5] == (
        "text 5 é", "pos", "1.25", "5", "true", ["I"], ["a", "b c"], ["5", "7"], ["x"], ["5"], "id 5", "5",
    )  # fmt: skip


@pytest.mark.parametrize("dataset", ["toy:1.2.0", "toy:1.*.*"])
def test_a_version_may_be_named(data_dir, dataset):
    assert len(read("test", TWO, data_dir, dataset)[0]) == 4


@pytest.mark.parametrize(
    ("split", "count"), [("train[:90%]", 9), ("train[90%:]", 1), ("train[2:5]", 3), ("train+test", 14)]
)
def test_parts_of_a_split(data_dir, split, count):
    assert len(read(split, TWO, data_dir)[0]) == count


def test_parts_do_not_overlap_and_come_in_one_order(data_dir):
    whole = read("train", TWO, data_dir)[0]
    assert read("train[:50%]", TWO, data_dir)[0] + read("train[50%:]", TWO, data_dir)[0] == whole
    assert sorted(text for text, _ in whole) == [example["text"] for example in EXAMPLES]


def test_a_class_that_is_not_told_is_a_bad_row(data_dir):
    place = [text for text, _ in read("train", TWO, data_dir)[0]].index("text 3 é") + 1
    rows, reports = read("train", {"text": TEXT, "unknown": TEXT}, data_dir)
    assert reports == [(place, "'unknown' is missing")]
    assert len(rows) == 9
    assert {label for _, label in rows} == {"told"}


def test_rows_come_in_portions(data_dir, monkeypatch):
    monkeypatch.setattr(source, "_ROWS", 4)
    batches = source.rows("train", TWO, lambda *_: None, dataset="toy", data_dir=data_dir)
    assert [batch.num_rows for batch in batches] == [4, 4, 2]


def test_another_file_format_is_an_error_with_the_command(tfds, data_dir, monkeypatch):
    reader = type(tfds.builder_from_directory(f"{data_dir}/toy/1.2.0"))

    def refuse(self, **kwargs):
        raise NotImplementedError("not for ArrayRecord files")

    monkeypatch.setattr(reader, "as_dataset", refuse)
    with pytest.raises(DataError) as caught:
        read("train", TWO, data_dir)
    assert str(caught.value) == (
        "toy: prepared in a format that cannot be streamed (not for ArrayRecord files). Remove it, and run "
        '`python -c "import tensorflow_datasets as t; '
        f"t.builder('toy', data_dir='{data_dir}').download_and_prepare()\"`."
    )


@pytest.mark.parametrize("split", ["valid", "train[", "", "train[:200]"])
def test_an_unknown_split_is_an_error_with_those_there_are(data_dir, split):
    with pytest.raises(DataError) as caught:
        read(split, TWO, data_dir)
    assert str(caught.value).startswith(f"toy: no split {split!r} (")
    assert str(caught.value).endswith("Expected one of train, test, or a part of one such as train[:90%].")


def test_an_unknown_column_is_an_error_with_those_there_are(data_dir):
    with pytest.raises(DataError) as caught:
        read("train", {"text": TEXT, "answers": TEXT}, data_dir)
    assert str(caught.value).startswith("toy: no column 'answers'; the columns are ")
    assert "'answers/text'" in str(caught.value)
    assert "'meta/deep/depth'" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "kind", "told"),
    [
        ("tags", TEXT, "list<element: string>; expected text, numbers or true/false."),
        ("label", LIST, "string; expected lists of text, numbers or true/false."),
        ("image", TEXT, "list<element: list<element: list<element: uint8>>>; expected text"),
    ],
)
def test_a_column_of_another_kind_is_an_error(data_dir, column, kind, told):
    with pytest.raises(DataError) as caught:
        read("train", {column: kind}, data_dir)
    shown = str(caught.value).replace("item:", "element:")  # as older releases of pyarrow write it
    assert shown.startswith(f"toy: the column {column!r} holds {told}")


@pytest.mark.parametrize("dataset", ["nothing_of_the_kind", "toy:9.9.9"])
def test_what_is_not_prepared_is_an_error_with_the_command(tfds, tmp_path, data_dir, dataset):
    with pytest.raises(DataError) as caught:
        read("train", TWO, data_dir, dataset)
    assert str(caught.value) == (
        f'{dataset}: not prepared in {data_dir}. Run `python -c "import tensorflow_datasets as t; '
        f"t.builder('{dataset}', data_dir='{data_dir}').download_and_prepare()\"`, "
        "or set data.source.download to true."
    )


def test_nothing_is_downloaded_unless_told(tfds, data_dir, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network here")

    monkeypatch.setattr(tfds, "builder", refuse)
    with pytest.raises(DataError, match=r"t\.builder\('imdb_reviews', data_dir="):
        read("train", TWO, data_dir, "imdb_reviews")
    with pytest.raises(DataError) as caught:
        read("train", TWO, data_dir, "imdb_reviews", download=True)
    assert str(caught.value) == (
        "imdb_reviews: could not be downloaded and prepared (no network here). Put that right, or run "
        "`python -c \"import tensorflow_datasets as t; t.builder('imdb_reviews', data_dir='FOLDER')"
        '.download_and_prepare()"` elsewhere and set data.source.data_dir.'
    )
    assert len(read("test", TWO, data_dir, download=True)[0]) == 4  # what lies there is not asked for


def test_what_is_downloaded_is_prepared_and_read(tfds, data_dir, monkeypatch):
    prepared = tfds.builder_from_directory(f"{data_dir}/toy/1.2.0")
    done = []
    monkeypatch.setattr(prepared, "download_and_prepare", lambda: done.append(True))
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: prepared)
    assert len(read("test", TWO, data_dir, "other", download=True)[0]) == 4
    assert done == [True]


def test_an_unknown_name_that_is_to_be_downloaded_is_told_with_close_ones(tfds, data_dir, monkeypatch):
    def unknown(*args, **kwargs):
        raise tfds.core.DatasetNotFoundError("imdb_review")

    monkeypatch.setattr(tfds, "builder", unknown)
    with pytest.raises(DataError) as caught:
        read("train", TWO, data_dir, "imdb_review/plain_text", download=True)
    assert str(caught.value).startswith(
        "imdb_review/plain_text: TensorFlow Datasets has no data set of this name."
    )
    assert "imdb_reviews" in str(caught.value)


@pytest.mark.parametrize("dataset", ["", "a b", "x/y/z"])
def test_what_is_no_name_is_refused(data_dir, dataset):
    with pytest.raises(
        SettingError, match=r"^data\.source\.dataset: must name one data set, as in imdb_reviews"
    ):
        read("train", TWO, data_dir, dataset)


def test_damaged_files_are_an_error(data_dir, tmp_path):
    import shutil

    shutil.copytree(data_dir, tmp_path / "copy")
    (file,) = (tmp_path / "copy").rglob("toy-test.*-of-*")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"^toy: its files are damaged or missing \(.*prepare them again\.$"):
        read("test", TWO, str(tmp_path / "copy"))
    file.unlink()
    with pytest.raises(DataError, match=r"^toy: its files are damaged or missing \(.*prepare them again\.$"):
        read("test", TWO, str(tmp_path / "copy"))


def test_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # as if it were not installed
    with pytest.raises(SettingError) as caught:
        read("train", TWO, None)
    assert str(caught.value).endswith("got 'tensorflow_datasets'. pip install tensorflow-datasets")
