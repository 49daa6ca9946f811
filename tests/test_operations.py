"""Tests of tfft/operations.py."""

import tensorflow as tf

from tfft import operations


def test_operations_of_another_library_and_of_python_are_named():
    graph = tf.compat.v1.GraphDef()
    graph.node.add(op="MatMul")
    graph.node.add(op="RegexSplitWithOffsets")  # of TensorFlow Text
    graph.node.add(op="PyFunc")
    graph.node.add(op="inner")
    body = graph.library.function.add()
    body.signature.name = "inner"
    body.node_def.add(op="SomebodysTokenizer")
    assert operations.foreign(graph) == ["PyFunc", "SomebodysTokenizer"]
