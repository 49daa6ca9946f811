"""Schedules: each file gives the share of the peak learning rate after the warmup."""
