"""Batches of examples, shared out among processes, and made ahead where they take long."""
import concurrent.futures

from chainer.iterators import SerialIterator


class Batches(SerialIterator):
    """A share of each batch of examples, in order; its place among the examples is that of whole batches.

    So what several processes share out is what one of them would have, and a snapshot of either goes on in the other.

    Args:
        examples: Data set.
        batchsize (int): Examples of a whole batch.
        share (slice): Which of these are given.
        ahead (bool): Make each batch in a thread while its predecessor is used: for examples that take long to make,
            in calls of NumPy, which let other threads run.
    """

    def __init__(self, examples, batchsize, share, ahead=False):
        self._thread = concurrent.futures.ThreadPoolExecutor(1, 'examples') if ahead else None
        self._next = None  # (indices, future of the examples)
        super().__init__(range(len(examples)), batchsize, shuffle=False)
        self.examples, self.share = examples, share

    def __next__(self):
        batch = super().__next__()
        if not self._thread:
            return self._examples(batch)
        if not self._next or self._next[0] != batch:  # the first one, also of a training that goes on
            self._make(batch)
        examples = self._next[1].result()
        self._make([i + len(batch) for i in batch if i + len(batch) < len(self.dataset)])
        return examples

    next = __next__

    def _make(self, batch):
        self._next = batch, self._thread.submit(self._examples, batch)

    def _examples(self, batch):
        return [self.examples[i] for i in batch[self.share]]

    def finalize(self):
        """End the thread."""
        if self._thread:
            self._thread.shutdown()
        super().finalize()
