"""How good a reconstruction is, and where it errs."""
