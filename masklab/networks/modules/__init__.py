"""Modules that `torch.nn` does not have. They import torch, so they are imported where a network is built."""
