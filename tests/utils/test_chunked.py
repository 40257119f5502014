"""Arrays of chunks that Dask computes."""

import io
import pickle

import cloudpickle
import dask
import numpy as np

from skautoenc._fit.summary import DataSummary, summarize
from skautoenc._utils.chunked import call, to_task


class Recorder(pickle.Unpickler):
    """Records the modules that a pickle imports."""

    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.modules = []

    def find_class(self, module, name):
        self.modules.append(module)
        return super().find_class(module, name)


def test_tasks_and_their_results_import_the_package_before_a_module_of_it():
    rows = np.arange(12.0).reshape(4, 3)
    task = to_task(summarize)
    results = [call(task, rows[:2], None), call(task, rows[2:], None)]
    merged = call(to_task(DataSummary.merged), *results)
    for value in dask.compute(task, merged, scheduler="synchronous"):
        recorder = Recorder(cloudpickle.dumps(value))
        recorder.load()
        modules = [m for m in recorder.modules if m.startswith("skautoenc")]
        assert modules[0] == "skautoenc" != modules[-1]
