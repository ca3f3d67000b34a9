"""What came of the cases of a run, in the cases' order, and its tables of scores."""


class Tally:
    """Takes the outcomes as they come; the tables are written each time, so that an interruption loses none.

    Args:
        out (Path): Folder of the results.
        cases (list of ~util.dataset.case_lists.Case): The cases.
    """

    def __init__(self, out, cases):
        self._out, self._cases, self._outcomes = out, cases, {}

    def add(self, number, outcome):
        """Take the outcome (`util.inference.case_work.Outcome`) of the case of that number."""
        self._outcomes[number] = outcome
        if outcome.scores or outcome.uncertainty:
            self.save()

    def save(self):
        """Write the tables of what has been scored."""
        # Here, since scans without a truth do without.
        from util.reports import score_table, uncertainty_table
        for name, rows, table in (('scores.csv', self.rows, score_table),
                                  ('uncertainty.csv', self.unsure, uncertainty_table)):
            if rows:
                table.save_csv(self._out / name, rows)

    @property
    def rows(self):
        """dict: Name of each scored case -> {method: {metric: value}}."""
        return {case.name: outcome.scores for case, outcome in self._pairs() if outcome.scores}

    @property
    def unsure(self):
        """dict: Name of each case whose deviation is scored -> {metric: value}."""
        return {case.name: outcome.uncertainty for case, outcome in self._pairs() if outcome.uncertainty}

    @property
    def samplings(self):
        """dict: Name of each scored case -> the ~util.volumes.sampling.Sampling that its LR and HR volume lie as."""
        return {case.name: outcome.sampling for case, outcome in self._pairs() if outcome.scores}

    @property
    def unlike(self):
        """dict: LR file of each case that is unlike the scans of the training -> how it differs."""
        return {case.lr_path: outcome.difference for case, outcome in self._pairs() if outcome.difference}

    @property
    def done(self):
        """list of ~util.dataset.case_lists.Case: Those with volumes."""
        return [case for case, outcome in self._pairs() if outcome.done]

    @property
    def failures(self):
        """list of str: What could not be done."""
        return [failure for _, outcome in self._pairs() for failure in outcome.failures]

    def _pairs(self):
        return [(case, self._outcomes[number]) for number, case in enumerate(self._cases) if number in self._outcomes]
