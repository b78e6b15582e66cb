"""Independent tasks: in worker processes of this machine, or on a cluster of Dask or Ray.

`run` gives results of tasks on this machine (joblib's loky). `opened` gives a `Pool` on any backend, whose
tasks may fail one by one: a lost worker or an error costs its own task only.
"""

from masklab.parallel.pool import BACKENDS, Pool, Workers, opened
from masklab.parallel.processes import cores, run, running
from masklab.parallel.task import Outcome

__all__ = ["BACKENDS", "Outcome", "Pool", "Workers", "cores", "opened", "run", "running"]
