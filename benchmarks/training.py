"""The training core: steps and member-epochs beside dense training and the published style."""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import clock, memory, published, steps
from masklab import data as datasets
from masklab import networks, stages, study
from masklab.training import device

CIFAR = (3, 32, 32)
CONV6_GFLOP = 118.0
"""One step of Conv6 on 128 images: 154 M multiply-adds forward, twice that backward, times 2."""

DEMO_MEMBERS, DEMO_BATCH, DEMO_WIDTH = 12, 64, 0.125


def conv6(limits: clock.Limits, rounds: int) -> list[clock.Row]:
    """Conv6 steps on all cores of a CPU."""
    dtype = torch.bfloat16 if device.multiplies_bf16() else torch.float32
    name = str(dtype).removeprefix("torch.")
    settings = networks.Settings("conv6")
    images, labels = steps.batches(1, 128, CIFAR)
    style = published.Training(published.network("conv6", *CIFAR[:2], 1.0))
    things = {
        gate: steps.masked(
            steps.cohort(gate, settings, CIFAR, 1),
            networks.skeleton(settings, CIFAR, 10),
            "loop",
            dtype,
            images.to(dtype),
            labels,
        )
        for gate in ("edge-popup", "biprop")
    }
    dense = steps.dense(steps.plain(settings, CIFAR), dtype, images[0], labels[0])
    over_dense = {}
    for gate, step in things.items():  # two at a time: what a third leaves in the caches would count
        taken = clock.in_turns({gate: step, "dense": dense}, rounds)
        over_dense[gate] = clock.ratio(taken[gate], taken["dense"])
    taken = clock.in_turns(
        {"masklab": things["edge-popup"], "published": lambda: style.step(images[0], labels[0])}, rounds // 2
    )
    over_style = clock.ratio(taken["masklab"], taken["published"])
    lower = limits.bf16 if dtype == torch.bfloat16 else limits.fp32
    least = CONV6_GFLOP / lower / 1e3
    weights = sum(layer.size for layer in networks.describe(settings, CIFAR, 10).layers)
    extra_s = weights * 34 / limits.copy / 1e9
    mine_s, dense_s = over_dense["edge-popup"].seconds
    return [
        clock.Row(
            f"Conv6, batch 128: Edge-Popup step ÷ dense SGD step, {name}, channels-last",
            "≤ 1.08",
            f"{over_dense['edge-popup']}; {mine_s * 1e3:.0f} ms, dense {dense_s * 1e3:.0f} ms",
            f"{1 + extra_s / dense_s:.3f}: 34 bytes more per weight and step at the bandwidth measured",
        ),
        clock.Row(
            f"the same with Biprop, {name}",
            "–",
            str(over_dense["biprop"]),
            "as above, and one more pass for the gain",
        ),
        clock.Row(
            f"Conv6 Edge-Popup step ({name}) ÷ published style (float32, contiguous, full sort)",
            "≤ 0.28",
            f"{over_style}; published {over_style.seconds[1] * 1e3:.0f} ms",
            f"{least / over_style.seconds[1]:.3f}: {CONV6_GFLOP:.0f} GFLOP at the {lower:.2f} TFLOP/s of a "
            f"matrix product ({limits.fp32:.2f} in float32)",
        ),
    ]


def demo(rounds: int) -> list[clock.Row]:
    """Time per member-epoch of a population on the digits: 12 members of conv2 × 0.125, batch 64."""
    digits = datasets.load("digits")
    images = torch.from_numpy(digits.train_images).float() / 16
    labels = torch.from_numpy(digits.train_labels)
    held_out = len(labels) // 10
    style = published.Training(published.network("conv2", 1, 8, DEMO_WIDTH))
    ratios, seconds = [], []
    _demo_seconds(2)  # worker processes start, libraries load
    for _ in range(rounds):
        short, long = _demo_seconds(5), _demo_seconds(35)
        mine = (long - short) / 30 / DEMO_MEMBERS  # what is not per epoch cancels
        started = time.perf_counter()
        for _ in range(5):
            style.epoch(images[held_out:], labels[held_out:], DEMO_BATCH)
        theirs = (time.perf_counter() - started) / 5
        ratios.append(mine / theirs)
        seconds.append((mine, theirs))
    low, median, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    mine, theirs = np.median(seconds, axis=0)
    return [
        clock.Row(
            "digits demo population (12 members, edge-popup): time per member-epoch ÷ published style",
            "≤ 0.25",
            f"{median:.3f} ({low:.3f}–{high:.3f}, {rounds} rounds); {mine * 1e3:.0f} ms, "
            f"published {theirs * 1e3:.0f} ms",
            "number of cores × the time torch needs to start one small operation",
        )
    ]


def _demo_seconds(epochs: int) -> float:
    """Wall time of training the population from nothing, validation left out."""
    made = study.build(
        {
            "data": {"name": "digits", "validation_fraction": 0.1},
            "network": {"name": "conv2", "width": DEMO_WIDTH},
            "training": {"epochs": epochs, "batch_size": DEMO_BATCH},
            "population": [{"pruner": "edge-popup", "density": 0.5, "members": DEMO_MEMBERS}],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        stages.train(made, Path(folder), device="cpu", engine="vmap")
        return time.perf_counter() - started


def peak(members: int = 6) -> list[clock.Row]:
    """Peak memory of a Conv6 cohort on a CPU."""
    rows = []
    for precision in ("fp32", "bf16") if device.multiplies_bf16() else ("fp32",):
        top, expected = memory.measure(members, precision)
        rows.append(
            clock.Row(
                f"peak memory of {members} members of Conv6 (batch 128, {precision}, loop) ÷ computed sum",
                "≤ 1.3",
                f"{top / expected:.2f}; {top / 1e6:.0f} MB ÷ {expected / 1e6:.0f} MB",
                "1: scores, momentum, effective weights, gradients, activations; freed blocks stay allocated",
            )
        )
    return rows


def gpu(rounds: int) -> list[clock.Row]:
    """Members side by side, and Conv6, on a GPU."""
    settings, members, limits = networks.Settings("conv2", 0.25), 32, clock.Limits.measured("cuda")
    rows = []
    for dtype in (torch.float32, torch.bfloat16):
        images, labels = steps.batches(members, 128, CIFAR, "cuda")
        cohort = steps.cohort("edge-popup", settings, CIFAR, members, "cuda")
        network = networks.skeleton(settings, CIFAR, 10)
        style = published.Training(published.network("conv2", *CIFAR[:2], 0.25), device="cuda")
        taken = clock.in_turns(
            {
                "masklab": steps.masked(cohort, network, "vmap", dtype, images.to(dtype), labels),
                "published": lambda style=style, x=images, y=labels: style.step(x[0], y[0]),
            },
            rounds,
        )
        found = clock.ratio(taken["published"] * members, taken["masklab"])
        rows.append(
            clock.Row(
                f"GPU: 32 members of conv2 × 0.25: member-steps per second ÷ published style, {dtype}",
                "≥ 20",
                str(found),
                f"{limits.copy:.0f} GB/s; {limits.fp32:.0f} and {limits.bf16:.0f} TFLOP/s",
            )
        )
        whole = networks.Settings("conv6")
        one, truth = steps.batches(1, 128, CIFAR, "cuda")
        single = steps.cohort("edge-popup", whole, CIFAR, 1, "cuda")
        taken = clock.in_turns(
            {
                "masklab": steps.masked(
                    single, networks.skeleton(whole, CIFAR, 10), "loop", dtype, one.to(dtype), truth
                ),
                "dense": steps.dense(steps.plain(whole, CIFAR, "cuda"), dtype, one[0], truth[0]),
            },
            rounds,
        )
        found = clock.ratio(taken["masklab"], taken["dense"])
        rows.append(
            clock.Row(f"GPU: Conv6, Edge-Popup step ÷ dense step, {dtype}", "≤ 1.10", str(found), "1")
        )
    return rows
