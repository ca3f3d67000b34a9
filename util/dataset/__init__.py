"""Case lists, LR-HR pairs, and the patches drawn from them."""
