"""One training on several workers: each computes a share of every batch, and all take the same steps.

To be called on every worker, within a process group of torch.distributed. All workers draw the same batches and keep
every so-manieth window of them, and gradients and losses are means over the workers, so the result is that of one
worker but for the order of floating-point sums. Two things are of each worker's share alone: what dropout leaves out,
and the statistics of batch normalisation ("patchtst").

Source: Li et al. (2020), "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", VLDB 13.
"""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from tune.train.fit import Checkpoint, Fitted, Progress, run
from tune.train.learner import Examples, Learner

_RANKS_MAX = 4096
_SEEDS = 2**31


class SharedLearner(Learner):
    """A learner that takes its share of each batch; the others take theirs at the same time."""

    def step(self, step: int) -> Tensor:
        """Take a step together and return the mean loss over all workers."""
        if step % self.plan.check_every == 0:
            _draw_apart(self.plan.seed, step)
        loss = super().step(step)
        dist.all_reduce(loss)
        return loss / dist.get_world_size()

    def validation_loss(self) -> float:
        """Return the mean loss over the validation windows of all workers: the same number on each.

        It is the first worker's, so that all stop training at the same look.
        """
        for buffer in self.network.buffers():
            dist.broadcast(buffer, src=0)
        count = len(self.validation)
        sums = [super().validation_loss() * count, count]
        total = torch.tensor(sums, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        dist.broadcast(total, src=0)
        return float(total[0] / total[1])

    def batch(self) -> Examples:
        return super().batch().rows(_share())


def run_shared(
    learner: Learner,
    store: Checkpoint | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Train together what each worker holds. See `fit.run`.

    Parameters
    ----------
    learner : Learner
        With all windows; the same on every worker.
    store : Checkpoint or None
        Must give all workers the state of the first.
    progress : callable or None
        Called on the first worker.
    """
    parts = {each.name: getattr(learner, each.name) for each in fields(Learner)}
    shared = SharedLearner(**parts)
    shared.validation = learner.validation.rows(_share())
    shared.module = DistributedDataParallel(learner.network, forward_sync_buffers=False)
    return run(shared, store, progress if dist.get_rank() == 0 else None)


def _draw_apart(seed: int, step: int) -> None:
    """Let each worker but the first draw its dropout from numbers of its own.

    They follow from the seed, the step and the worker: a training that goes on from a checkpoint draws them again. The
    first worker's are in the checkpoint.
    """
    rank = dist.get_rank()
    if rank:
        torch.manual_seed((seed + step * _RANKS_MAX + rank) % _SEEDS)


def _share() -> slice:
    return slice(dist.get_rank(), None, dist.get_world_size())
