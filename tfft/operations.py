"""Which operations of a graph a stock TensorFlow Serving does not have."""

import functools
from pathlib import Path
from typing import Any

import tensorflow as tf

_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunc"}


def foreign(graph: Any) -> list[str]:
    """Return the operations of a GraphDef that need Python, or a library besides TensorFlow and its Text."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    found = {node.op for node in nodes} - {function.signature.name for function in graph.library.function}
    # What neither TensorFlow nor TensorFlow Text defines comes from a third library.
    return sorted(
        name
        for name in found
        if name in _PYTHON or (not hasattr(tf.raw_ops, name) and name.lower() not in _of_text())
    )


@functools.cache
def _of_text() -> frozenset[str]:
    """Return the operations of TensorFlow Text, spelt as in `RegexSplit` but in small letters."""
    import tensorflow_text

    libraries = (Path(tensorflow_text.__file__).parent / "python" / "ops").glob("*.so")
    return frozenset(
        name.replace("_", "") for library in libraries for name in dir(tf.load_op_library(str(library)))
    )
