"""Callbacks: each file builds one Keras callback that the config may name."""
