"""Time and memory of the network here, in stock Chainer and in PyTorch, side by side: ``make bench``."""
