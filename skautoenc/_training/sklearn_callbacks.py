"""scikit-learn's callbacks, told of every epoch."""


class EpochTasks:
    """Tells scikit-learn's callbacks of every epoch."""

    def __init__(self, estimator, task, data, fitted):
        self._estimator, self._task = estimator, task
        self._data, self._fitted = data, fitted

    def epoch_begins(self):
        self._epoch = self._task.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def epoch_ended(self, update_model):
        def as_if_stopped():
            update_model()
            return self._fitted()

        return self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=as_if_stopped,
            **self._data,
        )
