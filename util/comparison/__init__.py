"""Several recipes on one dataset: what is run, and what comes out."""
