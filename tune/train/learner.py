"""A network, its optimiser and its examples: all that a training loop moves, built apart from the loop.

A distributed run builds the same on every worker, wraps `module`, and gives each worker a generator of its own.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from trading.errors import UsageError
from tune.train.network import ScaledNetwork
from tune.train.plan import TrainingPlan
from tune.train.windows import Windows

Weights = Mapping[str, Tensor]
"""State of a `ScaledNetwork` by name."""
_VALIDATION_BATCH = 512


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Windows as tensors on the device."""

    inputs: dict[str, Tensor]
    outcomes: Tensor

    def __len__(self) -> int:
        return len(self.outcomes)

    def rows(self, rows: Tensor | slice) -> "Examples":
        return Examples(
            {name: each[rows] for name, each in self.inputs.items()}, self.outcomes[rows]
        )


@dataclass(slots=True, eq=False)
class Learner:
    """What is trained, and with what.

    Attributes
    ----------
    network : ScaledNetwork
        Whose weights are the result.
    module : torch.nn.Module
        What is called: the network, or a wrapper of it that shares its gradients with other workers.
    generator : torch.Generator
        Draws the batches.
    scaler : torch.amp.GradScaler
        Keeps small gradients of half precision alive; idle otherwise.
    """

    plan: TrainingPlan
    network: ScaledNetwork
    module: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    train: Examples
    validation: Examples
    generator: torch.Generator
    device: torch.device

    def step(self, step: int) -> Tensor:
        """Take optimiser step number `step` (from 0) and return the mean loss of its batches, on the device."""
        plan = self.plan
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate_at(plan, step)
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for _ in range(plan.accumulate):
            loss = self.loss(self.batch()) / plan.accumulate
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return total

    def loss(self, examples: Examples) -> Tensor:
        """Return the mean loss of the plan, in deviations of the windows."""
        with self._precision():
            outputs, scale = self.module(**examples.inputs)
        outcomes = (examples.outcomes / scale[:, None]).to(torch.float32)
        return self.network.head.loss(outputs.to(torch.float32), outcomes)

    def validation_loss(self) -> float:
        """Return the mean loss over all validation windows."""
        self.module.eval()
        total, count = 0.0, len(self.validation)
        with torch.no_grad():
            for start in range(0, count, _VALIDATION_BATCH):
                batch = self.validation.rows(slice(start, start + _VALIDATION_BATCH))
                total += float(self.loss(batch)) * len(batch)
        return total / count

    def batch(self) -> Examples:
        size = (self.plan.batch_size,)
        rows = torch.randint(len(self.train), size, generator=self.generator)
        return self.train.rows(rows.to(self.device))

    def _precision(self) -> AbstractContextManager[object]:
        if self.plan.precision == "32":
            return nullcontext()
        kind = torch.bfloat16 if self.plan.precision == "bf16-mixed" else torch.float16
        return torch.autocast(self.device.type, dtype=kind)


def make_learner(
    plan: TrainingPlan,
    train: Windows,
    validation: Windows,
    *,
    device: str = "auto",
    start_from: Weights | None = None,
) -> Learner:
    """Return a learner before its first step.

    Parameters
    ----------
    device : str
        "cpu", "cuda", or "auto" for the GPU if there is one.
    start_from : mapping of name to tensor or None
        Weights of a network of the same plan to go on from.

    Raises
    ------
    UsageError
        If the precision needs a GPU and there is none, or the weights are those of another architecture.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    place = torch.device(name)
    if plan.precision == "16-mixed" and place.type != "cuda":
        raise UsageError("Precision 16-mixed needs a GPU; use 32 or bf16-mixed.")
    network = ScaledNetwork(plan)
    if start_from is not None:
        _load(network, start_from)
    network.to(place)
    return Learner(
        plan=plan,
        network=network,
        module=network,
        optimizer=torch.optim.AdamW(
            network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        ),
        scaler=torch.amp.GradScaler(place.type, enabled=plan.precision == "16-mixed"),
        train=_examples(train, place),
        validation=_examples(validation, place),
        generator=torch.Generator().manual_seed(plan.seed),
        device=place,
    )


def learning_rate_at(plan: TrainingPlan, step: int) -> float:
    """Return the learning rate of a step, counted from 0."""
    if step < plan.warmup_steps:
        return plan.learning_rate * (step + 1) / plan.warmup_steps
    left = plan.max_steps - plan.warmup_steps
    done = (step - plan.warmup_steps) / max(left, 1)
    fall: Mapping[str, Callable[[float], float]] = {
        "constant": lambda _: 1.0,
        "linear": lambda part: 1.0 - part,
        "cosine": lambda part: float(0.5 * (1.0 + np.cos(np.pi * part))),
    }
    return plan.learning_rate * fall[plan.schedule](done)


def _examples(windows: Windows, device: torch.device) -> Examples:
    inputs = {name: torch.from_numpy(each).to(device) for name, each in windows.inputs.items()}
    return Examples(inputs, torch.from_numpy(windows.outcomes).to(device))


def _load(network: ScaledNetwork, weights: Weights) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UsageError(
            "The weights to start from are those of another architecture; start with the plan that they "
            "were trained with."
        ) from error
