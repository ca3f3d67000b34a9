"""Time and memory of the network and of whole commands, here and elsewhere, side by side: ``make bench``."""
