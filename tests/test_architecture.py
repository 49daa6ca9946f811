"""Who may import whom, and what the house forbids; read from the source, function bodies too."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tfft"
FILES = sorted(PACKAGE.rglob("*.py"))

STEPS = {file.stem for file in PACKAGE.glob("[a-z]*.py")} - {"run", "setting_problems", "yaml_file"} | {
    "augmentations", "callbacks", "losses", "preparation", "regularizers", "sources", "splitters",
    "tasks", "unfreezing",
}  # fmt: skip

# What a file may import from tfft besides errors, each with its reason.
ALLOWED = {
    # The door: it reads the file, knows the plug-ins' settings, and words their faults.
    "config": {"inputs", "plugins", "setting_problems", "sources", "yaml_file"},
    # The public functions of the package, which tell the story.
    "__init__": {"config", "finished", "run"},
    "__main__": {"cli"},
    # The story: the only file that knows the order of the steps.
    "run": STEPS,
    # What a config says of a training, built.
    "recipe": {
        "augmentations",
        "classifier",
        "config",
        "dataset",
        "finished",
        "freezing",
        "imbalance",
        "learner",
        "learning_rates",
        "lora",
        "losses",
        "phases",
        "plugins",
        "ragged",
        "regularizers",
        "strategy",
        "tasks",
        "unfreezing",
    },
    # Whether a run that goes on has the files, the weights and the libraries that it was begun with.
    "same_run": {"classifier", "config", "fingerprint", "run_folder"},
    # The end of a training: a model that is read back, and what the config wants to be fitted to it.
    "answering": {
        "calibration",
        "classifier",
        "config",
        "finished",
        "out_of_distribution",
        "ragged",
        "run_folder",
        "tasks",
    },
    # What is done with a finished run, for which its model is read back.
    "finished": {
        "classifier",
        "config",
        "dataset",
        "imbalance",
        "inference",
        "inputs",
        "plugins",
        "ragged",
        "run_folder",
        "saved_model",
        "server_files",
        "sources",
        "splits",
        "splitters",
        "tables",
        "tasks",
        "token_ids",
    },
    # The story of a first config, from data to the text of a file.
    "first_look": {"data_files", "first_config", "guess", "plugins", "sample", "sources", "tables"},
    # A file is looked at through what reads it later.
    "data_files": {"sources"},
    "sample": {"sources"},
    # A column is a text or a target by what training makes of it.
    "looks": {"numbers"},
    "guess": {"inputs", "labels", "looks", "sample"},
    "first_config": {"data_files", "guess", "inputs", "looks", "sample", "yaml_file"},
    # It joins the parts of the model as run joins the parts of the story.
    "classifier": {
        "backbone",
        "byte_pair",
        "calibration",
        "families",
        "fingerprint",
        "head",
        "inputs",
        "layer_groups",
        "lora",
        "out_of_distribution",
        "plugins",
        "preparation",
        "preprocessor",
        "saved_model",
        "sentence_piece",
        "signatures",
        "tasks",
        "window_preprocessor",
        "word_piece",
        "word_preprocessor",
    },
    # One door for both formats and all families; each of the three has an idea of its own.
    "backbone": {"dropout", "families", "fingerprint", "hugging_face"},
    # Both are ordered rules over the groups of layers.
    "freezing": {"layer_groups"},
    "learning_rates": {"layer_groups", "schedules"},
    # A phase is which layers train, and at which rates.
    "phases": {"freezing", "layer_groups", "learning_rates", "unfreezing"},
    "rates_plot": {"layer_groups", "learning_rates", "phases"},
    # Which variables ever train is told where callbacks are.
    "weight_average": {"callbacks"},
    # What a report is, is declared where tasks are.
    "evaluation": {"intervals", "tasks"},
    "evaluation_of_label_sets": {"intervals", "tasks"},
    "evaluation_of_numbers": {"intervals", "tasks"},
    # Which labels the rows of a fold have.
    "cross_validation": {"labels"},
    # Each figure comes with how sure it is.
    "entities": {"intervals"},
    "entity_marks": {"entities"},
    "evaluation_of_tags": {"entities", "ragged", "tasks"},
    # Words are tokenised one by one, and packed as texts are.
    "word_preprocessor": {"preprocessor", "words"},
    "window_preprocessor": {"preprocessor"},
    # What stands in an export besides the graph, each file a step of its own.
    "saved_model": {
        "clean_process",
        "golden",
        "manifest",
        "model_card",
        "operations",
        "parity",
        "preprocessor",
        "reload_probe",
        "signatures",
        "warmup",
    },
    # Each check is of what one of them wrote, or how it would answer, or a server does.
    "verify": {
        "clean_process",
        "finished",
        "golden",
        "manifest",
        "operations",
        "parity",
        "saved_model",
        "serving",
        "warmup",
    },
    # It writes each format, asks it as an export is asked, and compares it with that.
    "conversion": {
        "classifier",
        "clean_process",
        "config",
        "finished",
        "fingerprint",
        "format_figures",
        "format_report",
        "formats",
        "golden",
        "parity",
        "plugins",
        "reload_probe",
        "run_folder",
        "saved_model",
        "signatures",
    },
    # The rows of a run as its formats are asked for them.
    "format_figures": {"classifier", "dataset", "finished", "formats", "tasks"},
    "format_report": {"format_figures"},
    # A file is known by its hash.
    "manifest": {"fingerprint"},
    # It fits what the loss of a task's outputs says.
    "calibration": {"tasks"},
    # They lead from a row to the task's outputs, whole texts by one way and words by another.
    "signatures": {"preprocessor", "tasks", "word_preprocessor"},
    # The columns of a row are joined to the texts that it cuts.
    "preprocessor": {"inputs"},
    # Rows, token ids and outputs lie in files of the cache.
    "splits": {"cache", "fingerprint", "spill"},
    "token_ids": {"cache", "fingerprint", "ragged"},
    "inference": {"cache", "spill"},
    # Weights, too, are numbers in text.
    "imbalance": {"numbers"},
    "dataset": {"ragged"},
    # It asks the preprocessor what training asks it; its two faces show hidden characters in one way.
    "data_preview": {"augmentations", "preprocessor", "ragged"},
    "data_tables": {"data_preview"},
    "data_page": {"data_preview"},
    # What a loss and a regularizer are is declared by their families.
    "learner": {"losses", "regularizers"},
    "steps": {"learner"},
    # The loop, which all replicas go through, saves what it would go on from, and hears signals.
    "fit": {"interruption", "learner", "saves", "steps", "strategy"},
    # A save is known by its hash.
    "saves": {"fingerprint"},
}
ALLOWED_IN_FOLDERS = {
    # The command line asks for a config and hands it to the story; __init__ for the version.
    "cli": {
        "",
        "cli",
        "config",
        "conversion",
        "finished",
        "first_config",
        "first_look",
        "format_report",
        "interruption",
        "launch",
        "plugins",
        "run",
        "server.settings",
        "server.stand_in",
        "server.tensorflow_serving",
        "serving",
        "sources",
        "tables",
        "verify",
    },
    # The stand-in is a program of its own: its files know one another, and nothing of training.
    "server": {
        "server.calls",
        "server.examples",
        "server.execution",
        "server.folders",
        "server.grpc_service",
        "server.json_calls",
        "server.json_values",
        "server.metrics",
        "server.model_info",
        "server.proto_calls",
        "server.requests",
        "server.rest",
        "server.servable",
        "server.settings",
        "server.signatures",
        "server.status",
        "server.tensor_protos",
        "server.versions",
        "server.warmup",
    },
    # What a plug-in is given or gives back is declared by its family's __init__.
    "augmentations": {"augmentations"},
    "callbacks": {"callbacks", "weight_average"},
    # What asks a file is a program of its own, too; two formats are files of one kind.
    "formats": {"formats", "formats._litert", "formats._runtimes"},
    "losses": {"losses"},
    "optimizers": {"optimizers"},
    "preparation": {"preparation"},
    # What is fetched is kept in the cache.
    "presets": {"cache"},
    "regularizers": {"losses", "regularizers"},
    "schedules": {"schedules"},
    # Those with types of their own tell them as text in one way.
    "sources": {"sources", "sources._tables"},
    # What a splitter goes by is read as targets are.
    "splitters": {"labels", "numbers", "splitters"},
    # A task says how its targets are read and its answers measured; each way is a step of its own.
    "tasks": {
        "entities",
        "entity_marks",
        "evaluation",
        "evaluation_of_label_sets",
        "evaluation_of_numbers",
        "evaluation_of_tags",
        "labels",
        "micro_f1",
        "numbers",
        "ragged",
        "tasks",
        "threshold",
        "words",
    },
    # A stage that is written out is a section of the config.
    "unfreezing": {"plugins", "unfreezing"},
}


def name_of(file: Path) -> str:
    """Return `cli.train` for tfft/cli/train.py."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def imports(source: str, name: str) -> set[str]:
    """Return the modules of tfft that a source imports anywhere, as `config` or `cli.train`; "" is tfft."""
    known = {name_of(file).removesuffix(".__init__") for file in FILES}
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = name.split(".")[: -node.level] if node.level else []
            base = ".".join(
                [*(["tfft", *above] if node.level else []), *([node.module] if node.module else [])]
            )
            modules = [
                f"{base}.{alias.name}" if f"{base}.{alias.name}".removeprefix("tfft.") in known else base
                for alias in node.names
            ]
        else:
            continue
        found |= {m.removeprefix("tfft").removeprefix(".") for m in modules if m.split(".")[0] == "tfft"}
    return found


def allowed(name: str) -> set[str]:
    folder, _, rest = name.partition(".")
    return {"errors"} | (ALLOWED_IN_FOLDERS.get(folder, set()) if rest else ALLOWED.get(name, set()))


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("from tfft import config, __version__", "x", {"config", ""}),
        ("from tfft.tasks import Task", "x", {"tasks"}),
        ("from tfft.tasks import text_classification", "x", {"tasks.text_classification"}),
        ("import tfft.cli.train as t", "x", {"cli.train"}),
        ("from . import run", "x", {"run"}),
        ("from .run import train", "x", {"run"}),
        ("from .. import run", "cli.train", {"run"}),
        ("from .delimited import rows", "sources.jsonl", {"sources.delimited"}),
        ("def f():\n    from tfft import run", "x", {"run"}),
        ("class A:\n    def f(self):\n        import tfft.head", "x", {"head"}),
        ("import tfft_other, keras\nfrom keras import ops", "x", set()),
    ],
)
def test_imports_are_found_in_every_spelling(source, name, expected):
    assert imports(source, name) == expected


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_file_imports_only_what_it_may(file):
    name = name_of(file)
    assert imports(file.read_text(encoding="utf-8"), name) <= allowed(name), (
        "a step or a plug-in imports nothing but errors from tfft; exceptions stand in ALLOWED, with reasons"
    )


def test_no_exception_is_stale():
    sources = {name_of(file): file.read_text(encoding="utf-8") for file in FILES}
    for name in ALLOWED.keys() - {"run"}:
        assert ALLOWED[name] <= imports(sources[name], name), name
    for folder, extra in ALLOWED_IN_FOLDERS.items():
        inside = [imports(source, name) for name, source in sources.items() if name.startswith(f"{folder}.")]
        assert extra <= set().union(*inside), folder


def test_only_main_imports_the_command_line():
    importers = {
        name_of(file)
        for file in FILES
        if file.parent.name != "cli"
        if any(module.split(".")[0] == "cli" for module in imports(file.read_text("utf-8"), name_of(file)))
    }
    assert importers == {"__main__"}


def test_no_file_is_a_drawer_for_everything():
    words = {
        word for file in FILES for part in file.relative_to(PACKAGE).parts for word in part[:-3].split("_")
    }
    assert not words & {"utils", "util", "helpers", "helper", "common", "misc", "manager", "wrapper"}


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_assert_and_no_bare_except(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: python -O removes an assert; raise"
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), (
            f"line {node.lineno}: a bare except also takes Ctrl-C"
        )


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_file_says_what_it_is_for(file):
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


def test_a_family_is_a_folder_with_plug_ins():
    from tfft import plugins

    folders = {file.parent.name for file in FILES if file.parent != PACKAGE}
    assert folders == {"cli", "server", *plugins.FUNCTIONS}
