"""Tests of tfft/sources/hugging_face.py, with the library where there is one and a module in its place."""

import sys
import types

import pyarrow as pa
import pytest

from tfft.errors import DataError, SettingError
from tfft.sources import hugging_face

TEXT, LIST = pa.string(), pa.list_(pa.string())
TWO = {"text": TEXT, "label": TEXT}


def read(where, columns, dataset, **options):
    """Return the good rows as tuples, and the reports as (row, reason)."""
    reports = []
    batches = list(
        hugging_face.rows(
            where, columns, lambda *report: reports.append(report), dataset=str(dataset), **options
        )
    )
    assert all(batch.schema == pa.schema(list(columns.items())) for batch in batches)
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()], reports


class ClassLabel:
    """As the library's: ids with names."""

    def __init__(self, *names):
        self.names = list(names)


class Features(dict):
    """As the library's: the type of each column, which Arrow knows too."""

    arrow_schema: pa.Schema


class Split:
    """As the library's `Dataset`: an Arrow table."""

    def __init__(self, table, features):
        self.table, self.features = table, Features(features)
        self.features.arrow_schema = table.schema

    def select_columns(self, names):
        return Split(self.table.select(names), {name: self.features[name] for name in names})

    def with_format(self, form):
        if form != "arrow":
            raise ValueError(form)
        return self

    def iter(self, size):
        return (self.table.slice(start, size) for start in range(0, len(self.table), size))


@pytest.fixture
def calls(monkeypatch):
    """What is asked of the module that stands in the library's place."""
    noted = []
    made = types.ModuleType("datasets")
    made.__version__ = "4.0.0"
    made.ClassLabel = ClassLabel
    made.exceptions = types.SimpleNamespace(DatasetsError=type("DatasetsError", (Exception,), {}))
    made.table = pa.table(
        {"text": ["a", "", "c", "d"], "label": [0, 1, 1, -1], "tags": [[0, 1], [], [1], []]}
    )

    def load_dataset(*args, **kwargs):
        noted.append((args, kwargs))
        if kwargs["split"] == "none":
            raise made.exceptions.DatasetsError("there is none")
        tags = types.SimpleNamespace(feature=ClassLabel("O", "B"))
        return Split(made.table, {"text": "string", "label": ClassLabel("neg", "pos"), "tags": tags})

    made.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", made)
    return noted


def test_the_library_is_asked_for_the_split_and_classes_come_as_names(calls):
    assert read("train[:90%]", TWO | {"tags": LIST}, "glue", config="sst2", revision="main") == (
        [("a", "neg", ["O", "B"]), ("c", "pos", ["B"])],
        [(2, "'text' is empty"), (4, "'label' is missing")],
    )
    # Nothing else is passed: no code of the data set may run.
    assert calls == [(("glue", "sst2"), {"split": "train[:90%]", "revision": "main"})]


def test_columns_come_in_the_order_asked_for_and_in_portions(calls, monkeypatch):
    monkeypatch.setattr(hugging_face, "_ROWS", 2)
    assert read("train", {"tags": LIST, "label": TEXT}, "x") == (
        [(["O", "B"], "neg"), ([], "pos"), (["B"], "pos")],
        [(4, "'label' is missing")],
    )


def test_an_unknown_column_is_an_error_with_those_there_are(calls):
    with pytest.raises(DataError) as caught:
        read("train", {"text": TEXT, "intent": TEXT}, "x")
    assert str(caught.value) == (
        "x: no column 'intent'; the columns are 'text', 'label', 'tags'. "
        "Set data.text_column and data.label_column."
    )


def test_what_the_library_cannot_read_is_told(calls):
    with pytest.raises(DataError) as caught:
        read("none", TWO, "x")
    assert str(caught.value) == (
        "x: cannot read the split 'none' (there is none). Correct data.source or the split, "
        "such as train[:90%]."
    )


def test_a_release_that_runs_code_is_refused(calls, monkeypatch):
    monkeypatch.setattr(sys.modules["datasets"], "__version__", "3.6.0")
    with pytest.raises(SettingError) as caught:
        read("train", TWO, "x")
    assert str(caught.value) == (
        "data.source: needs datasets 4 or newer, which run no code of a data set; this is 3.6.0, "
        "got 'hugging_face'. pip install --upgrade 'datasets>=4'"
    )
    assert calls == []


def test_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if it were not installed
    with pytest.raises(SettingError) as caught:
        read("train", TWO, "x")
    assert str(caught.value).endswith("got 'datasets'. pip install 'datasets>=4'")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A split of 10 rows, made with the library itself."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["neg", "pos"]),
            "tags": datasets.Sequence(datasets.ClassLabel(names=["O", "B", "I"])),
            "score": datasets.Value("float32"),
        }
    )
    columns = {
        "text": [f"text {n}" if n != 4 else None for n in range(10)],
        "label": [n % 2 for n in range(10)],
        "tags": [[2, 0, 1][: n % 4] for n in range(10)],
        "score": [n / 10 for n in range(10)],
    }
    return datasets.Dataset.from_dict(columns, features=features)


def expected(numbers):
    return [
        (f"text {n}", ["neg", "pos"][n % 2], ["I", "O", "B"][: n % 4], str(n / 10)) for n in numbers if n != 4
    ]


ALL = TWO | {"tags": LIST, "score": TEXT}


@pytest.mark.parametrize(
    ("split", "numbers", "bad"),
    [("train", range(10), [5]), ("train[:50%]", range(5), [5]), ("train[7:]+test", [7, 8, 9, 0, 1, 2], [])],
)
@pytest.mark.parametrize("kind", ["saved", "parquet"])
def test_a_folder_is_read_with_the_library_itself(toy, tmp_path, kind, split, numbers, bad):
    import datasets

    where = tmp_path / "data"
    parts = datasets.DatasetDict({"train": toy, "test": toy.select(range(3))})
    if kind == "saved":
        parts.save_to_disk(where)
    else:
        where.mkdir()
        for name, part in parts.items():
            part.to_parquet(where / f"{name}-0.parquet")
    assert read(split, ALL, where) == (expected(numbers), [(row, "'text' is missing") for row in bad])


def test_one_saved_split_is_called_train(toy, tmp_path):
    toy.save_to_disk(tmp_path / "one")
    assert read("train[2:4]", ALL, tmp_path / "one") == (expected([2, 3]), [])
    with pytest.raises(SettingError, match=r"^data\.source\.config: has no meaning for .* Leave it out\.$"):
        read("train", ALL, tmp_path / "one", config="x")
    with pytest.raises(DataError, match=r"one: cannot read the split 'test' \(Unknown split"):
        read("test", ALL, tmp_path / "one")


def test_the_librarys_own_errors_are_told(toy, tmp_path):
    with pytest.raises(
        DataError, match=r"^/no/such/place: cannot read the split 'train' \(.*train\[:90%\]\.$"
    ):
        read("train", ALL, "/no/such/place")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(DataError, match=r"mine: cannot read the split"):
        read("train", ALL, tmp_path / "mine")
    assert not (tmp_path / "ran").exists()
