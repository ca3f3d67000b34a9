"""Raw scans and their table, case lists, LR-HR pairs, and the patches drawn from them."""
