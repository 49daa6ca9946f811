"""Optimizers: each file builds one Keras optimizer, with a learning rate for every variable."""
