"""
======================================
How do I resume a fit that was killed?
======================================

With ``checkpoint=folder``, the state of the training is written after epochs, and the
next fit with the same data and parameters resumes from it. A long fit can be killed by
the scheduler of a cluster, for want of memory, or because the machine is restarted.
This example kills a fit and resumes it: the result has the same bits as that of a fit
that was not interrupted.
"""

# %%
# A process that is killed
# ------------------------
# The program trains an autoencoder in another process, which prints a line every 20
# epochs. After epoch 60 it is killed.

import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """
import sys
from sklearn.datasets import load_digits
from skautoenc import AutoencoderTransformer

X = load_digits().data / 16
autoencoder = AutoencoderTransformer(
    n_components=8, epochs=150, random_state=0, checkpoint=sys.argv[1], verbose=20
)
autoencoder.fit(X)
"""

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
process = subprocess.Popen(
    [sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True
)
for line in process.stdout:
    print(line, end="")
    if " 60/150" in line:
        process.kill()
        break
process.communicate()
print("exit status:", process.returncode)
print("files:", len(list(folder.iterdir())))

# %%
# The next fit resumes
# --------------------
# The data and the parameters are the same; `verbose` does not matter. `random_state`
# must be an int, so that both fits draw the same random numbers. The callback records
# the epochs that are trained.

from sklearn.datasets import load_digits

from skautoenc import AutoencoderTransformer


class CountEpochs:
    """A callback of scikit-learn that counts epochs."""

    def setup(self, estimator, context):
        self.n_epochs = 0

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.n_epochs += context.task_name == "epoch"

    def teardown(self, estimator, context):
        pass


X = load_digits().data / 16
params = {"n_components": 8, "epochs": 150, "random_state": 0}
resumed = AutoencoderTransformer(checkpoint=folder, **params)
counter = CountEpochs()
resumed.set_callbacks(counter).fit(X)
print(f"trained {counter.n_epochs} of {resumed.n_iter_} epochs")
print("files:", len(list(folder.iterdir())))

# %%
# The file is removed at the end of the fit. The result is the same as without the
# interruption, bit for bit.

import numpy as np

whole = AutoencoderTransformer(**params).fit(X)
print(
    "codes are bitwise equal:", np.array_equal(resumed.transform(X), whole.transform(X))
)
print("losses are equal:", resumed.history_ == whole.history_)
temporary.cleanup()

# %%
import matplotlib.pyplot as plt

from skautoenc.plotting import LossCurveDisplay

display = LossCurveDisplay.from_estimator(resumed)
first = resumed.n_iter_ - counter.n_epochs
display.ax_.axvline(first, color="gray", linestyle=":", label="resumed")
display.ax_.legend()
plt.show()

# %%
# Several fits can use one folder, because the file is named after a digest of the data
# and the parameters. So a killed ``GridSearchCV`` over autoencoders with a
# ``checkpoint`` repeats the fits that had ended, and resumes those that had begun.
