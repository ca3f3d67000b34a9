"""What the network costs here, in stock Chainer and in PyTorch, side by side: ``make bench``."""
