"""What a step takes on this machine, measured once, before the plan is made."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, get_args

import torch
from torch import Tensor, nn

from masklab import data as datasets
from masklab import pruners, study
from masklab.errors import ConfigError, MasklabError
from masklab.training import choice, cohort, engines, randomness, task
from masklab.training import device as devices
from masklab.training import images as imaging

_MEMBERS = 4
_REPEATS = 3
_ENOUGH_S = 0.3
_HOPELESS = 3.0
"""An engine whose first step takes this many times the other's steps is not measured further."""


def run(
    record: dict[str, Any], plan: dict[str, Any], data: datasets.Data, wanted: list[choice.Engine]
) -> dict[str, Any]:
    """Time of a step by engine, and the memory that a member's activations take.

    Args:
        record: The resolved study.
        plan: Device, precision and threads.
        data: The study's data set.
        wanted: Engines to time; with one only, nothing is timed.

    Returns:
        `{"members", "batch_size", "seconds": {engine: s of one member's step or None}, "activation_bytes",
        "population"}`.

    Raises:
        ConfigError: The only engine wanted cannot run the network.
        MasklabError: The device's memory does not hold one member.
    """
    network = record["network"]["name"]
    try:
        with devices.prepared(plan["device"], plan["threads"]), torch.random.fork_rng():
            return _measured(record, plan, data, wanted)
    except torch.OutOfMemoryError as error:
        raise MasklabError(f"the memory of device {plan['device']!r} does not hold one step") from error
    except Exception as error:  # a network from outside may raise anything
        if ":" not in network or isinstance(error, MasklabError):
            raise
        size, reason = record["training"]["batch_size"], str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"network {network!r} fails on a batch of {size} images ({reason[:200]})"
        ) from error


def _measured(
    record: dict[str, Any], plan: dict[str, Any], data: datasets.Data, wanted: list[choice.Engine]
) -> dict[str, Any]:
    population = next((p for p in record["populations"] if p["trained"]), record["populations"][0])
    members = min(_MEMBERS, population["members"])
    trainer = _trainer(record, plan, population, data, members)
    seconds: dict[str, float | None] = {}
    if len(wanted) > 1:
        first: list[choice.Engine] = sorted(wanted, key=lambda name: name != "loop")
        best = float("inf")
        for name in first:
            seconds[name] = _time(_stepper(trainer, name), best)
            best = min(best, seconds[name] or best)
    elif wanted == ["vmap"] and ":" in record["network"]["name"]:  # a network from outside may not run so
        _try_vmap(trainer, record["network"]["name"])
    return {
        "population": population["name"],
        "members": members,
        "batch_size": record["training"]["batch_size"],
        "seconds": {name: None if s is None else round(s / members, 6) for name, s in seconds.items()},
        "activation_bytes": _activations(_trainer(record, plan, population, data, 1)),
    }


def _try_vmap(trainer: cohort.Trainer, network: str) -> None:
    try:
        _stepper(trainer, "vmap")()
    except torch.OutOfMemoryError:  # a RuntimeError too, but not one of the network
        raise
    except (RuntimeError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"engine 'vmap' cannot run network {network!r}, engine 'loop' may ({reason[:200]})"
        ) from error


def candidates(asked: str) -> list[choice.Engine]:
    """Engines that an `--engine` leaves open."""
    return list(get_args(choice.Engine)) if asked == "auto" else [asked]  # type: ignore[list-item]


def _trainer(
    record: dict[str, Any],
    plan: dict[str, Any],
    population: dict[str, Any],
    data: datasets.Data,
    members: int,
) -> cohort.Trainer:
    """Members of a population that train scores, on as many images as one step needs."""
    training = study.Training.model_validate({**record["training"], **population["overrides"]})
    pruner = pruners.resolve(population["gate"] or "", {}, training.epochs)
    indices = list(range(members))
    started = task.start(
        record, {**population, "density": 0.5}, training, pruner, indices, plan["device"], []
    )
    few = datasets.Data(
        data.train_images[: training.batch_size],
        data.train_labels[: training.batch_size],
        data.test_images[:1],
        data.test_labels[:1],
        data.classes,
    )
    started.begin_epoch(training.epochs - 1)
    images = imaging.on_device(few, 0.0, 0, plan["device"])
    network = cohort.build_network(record, plan["device"])
    return cohort.Trainer(started, images, network, "loop", plan["precision"])


def _stepper(trainer: cohort.Trainer, engine: choice.Engine) -> Callable[[], None]:
    images, labels = _batch(trainer)
    trainer = dataclasses.replace(trainer, engine=engine)
    members = len(trainer.cohort.levels)
    first = trainer.cohort.training_tensors(trainer.dtype, slice(0, 1))
    draws = [0] * members if randomness.draws(trainer.network, first, images[0]) else None

    def step() -> None:
        trainer.step(images, labels, trainer.cohort.training.learning_rate, draws)
        if images.is_cuda:
            torch.cuda.synchronize()

    return step


def _batch(trainer: cohort.Trainer) -> tuple[Tensor, Tensor]:
    recipe, state = trainer.cohort.training, trainer.cohort
    return next(
        iter(
            imaging.epoch_batches(
                trainer.images, state.seed, state.levels, 0, recipe.batch_size, "none", dtype=trainer.dtype
            )
        )
    )


def _time(step: Callable[[], None], best: float) -> float | None:
    """Shortest time of a step after the first, in seconds; None where it cannot run or is hopeless."""
    try:
        started = time.perf_counter()
        step()
        if time.perf_counter() - started > _HOPELESS * best * (1 + _REPEATS):
            return None
        times: list[float] = []
        while len(times) < _REPEATS or (sum(times) < _ENOUGH_S and len(times) < 10 * _REPEATS):
            started = time.perf_counter()
            step()
            times.append(time.perf_counter() - started)
            if sum(times) > 20 * _ENOUGH_S:
                break
    except (RuntimeError, NotImplementedError):  # a network that one engine cannot run: the other one may
        return None
    return min(times)


def _activations(trainer: cohort.Trainer) -> int:
    """Bytes that autograd keeps for the backward pass of one member, parameters apart."""
    images, labels = _batch(trainer)
    return kept_bytes(trainer.network, trainer.cohort.training_tensors(trainer.dtype), images, labels)


def kept_bytes(network: nn.Module, tensors: engines.Tensors, images: Tensor, labels: Tensor) -> int:
    """Bytes that autograd keeps for the backward pass of one member on a batch, parameters apart.

    Args:
        network: The plain network.
        tensors: Everything that it needs, of one member.
        images: [1, batch, c, h, w].
        labels: [1, batch].
    """
    leaves = {name: values.detach().requires_grad_() for name, values in tensors.trained.items()}
    own = {t.untyped_storage().data_ptr() for t in (*leaves.values(), *tensors.fixed.values())}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        given = engines.Tensors(leaves, tensors.fixed, tensors.buffers)
        engines.member_losses(engines.logits("loop", network, given, images, training=True), labels)
    return sum(kept.values())
