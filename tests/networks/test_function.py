import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch.func import functional_call

from masklab import networks
from masklab.errors import ConfigError
from tests.networks import samples

SHAPE, CLASSES = samples.SHAPE, samples.CLASSES


def settings(name: str, **more: object) -> networks.Settings:
    return networks.Settings.of({"name": f"tests.networks.samples:{name}", **more})


def describe(name: str, **more: object) -> networks.Description:
    return networks.describe(settings(name, **more), SHAPE, CLASSES)


def rules(description: networks.Description) -> dict[str, str]:
    return {parameter.name: parameter.rule for parameter in description.unmasked}


def test_layers_come_in_the_order_of_execution() -> None:
    found = describe("plain")
    assert found.layers == [
        networks.LayerShape("body.conv", (4, 3, 3, 3)),
        networks.LayerShape("body.head", (CLASSES, 4)),
    ]
    assert rules(found) == {
        "body.head.bias": "zero",
        "body.norm.weight": "one",
        "body.norm.bias": "zero",
        "body.conv.bias": "zero",
    }
    assert found.buffers == [("body.norm.running_mean", (4,)), ("body.norm.running_var", (4,))]
    learned = rules(describe("plain", batchnorm="learned"))
    assert (learned["body.norm.weight"], learned["body.norm.bias"]) == ("learned-one", "learned-zero")
    assert [layer.name for layer in describe("Functional").layers] == ["inner.weightless", "twice", "between"]


def test_what_cannot_be_masked_is_named() -> None:
    found = describe("Attention")
    assert [layer.name for layer in found.layers] == ["embed", "attention.out_proj", "head"]
    constructed = ["token", "attention.in_proj_weight", "attention.in_proj_bias"]
    assert [name for name, rule in rules(found).items() if rule == "constructed"] == constructed
    ones = {f"norms.{i}.weight" for i in range(3)} | {"instance.weight"}
    assert {name for name, rule in rules(found).items() if rule == "one"} == ones
    assert [name for name, _ in found.buffers] == ["instance.running_mean", "instance.running_var"]
    cannot, held, random = found.notes
    assert "cannot be masked (convolution and linear layers can), frozen as constructed: " in cannot
    assert cannot.endswith(", ".join(constructed))
    assert "held fixed: 6 biases or shifts at 0, 4 norm weights at 1" in held
    assert "draws random numbers in training, from the study's augment seeds (drop)" in random


def test_transposed_convolutions_and_slopes_are_kept_as_constructed() -> None:
    found = describe("transposed")
    assert [layer.name for layer in found.layers] == ["2"]
    constructed = {"0.weight", "0.bias", "3.weight"}
    assert {name for name, rule in rules(found).items() if rule == "constructed"} == constructed
    values = networks.constructed(settings("transposed"), SHAPE, CLASSES, 5)
    assert set(values) == constructed
    with torch.random.fork_rng():
        torch.manual_seed(5)
        expected = dict(samples.transposed().named_parameters())
    assert all((values[name] == expected[name].detach().numpy()).all() for name in constructed)


def test_layers_without_effect_are_not_masked_and_named() -> None:
    found = describe("Unused")
    assert [layer.name for layer in found.layers] == ["head"]
    expected = {f"{layer}.{kind}" for layer in ("never", "idle", "cut") for kind in ("weight", "bias")}
    assert rules(found) == dict.fromkeys(expected, "constructed")
    (note,) = found.notes
    assert "the output does not depend on it" in note
    assert all(layer in note for layer in ("never", "idle", "cut"))


def test_patterns_apply_to_the_layers_that_can_be_masked() -> None:
    found = describe("Attention", mask_only=["embed", "head"], mask_except=["he*"])
    assert [layer.name for layer in found.layers] == ["embed"]
    assert [n for n, rule in rules(found).items() if rule == "drawn"] == [
        "attention.out_proj.weight",
        "head.weight",
    ]
    with pytest.raises(
        ConfigError, match=r"network\.mask_only: 'never' matches no layer; the layers are head"
    ):
        describe("Unused", mask_only=["never"])


def test_every_option_reaches_a_function_that_takes_them_all() -> None:
    found = describe("everything", width=2, activation="tanh", batchnorm="learned")
    assert [layer.shape for layer in found.layers] == [(16, 192), (CLASSES, 16)]


@pytest.mark.parametrize(("key", "value"), [("width", 0.5), ("activation", "tanh")])
def test_options_that_the_function_does_not_take_are_refused(key: str, value: object) -> None:
    with pytest.raises(
        ConfigError, match=rf"network\.{key} {value!r} has no effect: the signature of .*allowed"
    ):
        describe("plain", **{key: value})


def test_batchnorm_is_learned_only_with_a_scale_and_a_shift() -> None:
    found = describe("lone_norm")
    assert [name for name, _ in found.buffers] == ["1.running_mean", "1.running_var"]
    with pytest.raises(
        ConfigError, match=r"network\.batchnorm = 'learned': .* has no batch norm with a scale"
    ):
        describe("lone_norm", batchnorm="learned")


def test_the_state_of_the_generator_is_kept() -> None:
    state = torch.get_rng_state()
    asked = settings("Attention"), SHAPE, CLASSES
    networks.describe(*asked)
    networks.skeleton(*asked)
    networks.constructed(*asked, 3)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_skeleton_is_the_same_every_time() -> None:
    one, other = (networks.skeleton(settings("Attention"), SHAPE, CLASSES) for _ in range(2))
    buffers = dict(one.named_buffers())
    assert set(buffers) == {"table", "instance.running_mean", "instance.running_var"}
    assert all(torch.equal(buffers[name], value) for name, value in other.named_buffers())
    assert {value.device.type for value in one.parameters()} == {"cpu"}
    given = {name: torch.zeros_like(value) for name, value in one.named_parameters()}
    assert not functional_call(one, given, (torch.rand(2, *SHAPE),)).any()


REFUSED = {
    "lazy": r"1 is initialised only when it runs",
    "half": r"1\.weight is torch\.float16; allowed: torch\.float32",
    "complex_weights": r"1\.weight is torch\.complex64; allowed: torch\.float32",
    "half_statistics": r"1\.running_mean is torch\.float16; allowed: torch\.float32",
    "shared": r"1\.weight and 2\.weight are the same tensor",
    "registered_twice": r"1\.running_mean and 2\.running_mean are the same tensor",
    "cumulative": r"1 has momentum None.*allowed: a number",
    "empty": r"layer 1 has no weights \(shape \[5, 0\]\)",
    "Layer": r"the network is itself a layer; put it into a torch\.nn\.Sequential",
    "slash": r"'a/b\.weight' cannot be stored",
    "nothing_to_mask": r"no convolution or linear layer takes part in its output",
    "two_inputs": r"cannot run on images of 3×8×8: TypeError: .*missing 1 required positional argument",
    "NoGradient": r"no convolution or linear layer takes part in its output",
    "Backward": r"its gradient cannot be taken: RuntimeError: no way back",
    "Counting": r"running it in training mode changes calls; allowed",
    "Pair": r"gives tuple; expected floats of shape \[2, 5\] for 2 images and 5 classes",
    "PairInTraining": r"gives tuple; expected floats",
    "Classes": r"gives torch\.int64 of shape \[2, 5\]; expected floats",
    "Crash": r"cannot run on images of 3×8×8: KeyError: 'two\\nlines'",
    "Unrepeatable": r"built twice from one seed, it differs in token, table",
    "gives_text": r"gives str; expected a torch\.nn\.Module",
    "raises": r"failed with ValueError: deliberate failure",
    "leaves": r"failed with SystemExit: 3",
    "needs": r"failed with TypeError: .*missing 1 required positional argument: 'depth'",
    "NUMBER": r"NUMBER is int; expected a function or class",
    "absent": r"tests\.networks\.samples has no 'absent'",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"network\.name 'tests\.networks\.samples:{name}'.*: {REFUSED[name]}"
    ) as caught:
        describe(name)
    assert "\n" not in str(caught.value)


def test_the_number_of_classes_must_fit() -> None:
    with pytest.raises(
        ConfigError, match=r"gives torch\.float32 of shape \[2, 5\]; expected floats of shape \[2, 4\]"
    ):
        networks.describe(settings("Functional"), SHAPE, CLASSES - 1)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Function from source code to the name of a module in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    made = []

    def write(source: str) -> str:
        made.append(f"nets_{uuid.uuid4().hex}")
        Path(f"{made[-1]}.py").write_text(source)
        return made[-1]

    yield write
    for name in made:
        sys.modules.pop(name, None)


MAKE = """
from torch import nn
def make(classes, *, width=1.0):
    return nn.Sequential(nn.Flatten(), nn.Linear(192, int(4 * width)), nn.Linear(int(4 * width), classes))
"""


def test_networks_in_the_current_folder_are_found(written: Callable[[str], str]) -> None:
    name = written(MAKE)
    asked = networks.Settings(f"{name}:make", width=3.0)
    assert [o.shape for o in networks.describe(asked, SHAPE, CLASSES).layers] == [(12, 192), (CLASSES, 12)]
    assert sys.path[-1] == str(Path.cwd())
    networks.skeleton(asked, SHAPE, CLASSES)
    assert sys.path.count(str(Path.cwd())) == 1


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def make(:", "SyntaxError: "),
        ("raise ValueError('on\\nimport')", "ValueError: on import"),
        ("import sys; sys.exit(4)", "SystemExit: 4"),
    ],
)
def test_modules_that_cannot_be_imported_are_reported(
    written: Callable[[str], str], source: str, cause: str
) -> None:
    name = written(source)
    with pytest.raises(
        ConfigError, match=rf"network\.name '{name}:make': cannot import {name} .*: {cause}"
    ) as caught:
        networks.describe(networks.Settings(f"{name}:make"), SHAPE, CLASSES)
    assert "\n" not in str(caught.value)


def test_a_missing_module_is_reported() -> None:
    with pytest.raises(
        ConfigError, match=r"cannot import no_such\.nets \(installed, or in the current folder\)"
    ):
        networks.skeleton(networks.Settings("no_such.nets:make"), SHAPE, CLASSES)


@pytest.mark.parametrize("source", ["make = type", "from os import getpid as make", "make = 3"])
def test_only_functions_and_classes_of_modules_are_called(written: Callable[[str], str], source: str) -> None:
    name = written(source)
    with pytest.raises(ConfigError, match="expected a function or class that gives a"):
        networks.describe(networks.Settings(f"{name}:make"), SHAPE, CLASSES)


PARTIAL = """
import functools
from torch import nn
def build(classes, depth, *, width=1.0):
    hidden = int(depth * width)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, hidden), nn.Linear(hidden, classes))
class Net(nn.Module):
    def __init__(self, classes, depth):
        super().__init__()
        self.first, self.last = nn.Linear(192, depth), nn.Linear(depth, classes)
    def forward(self, x):
        return self.last(self.first(x.flatten(1)))
"""


@pytest.mark.parametrize(
    ("made", "width"),
    [
        ("functools.partial(build, depth=6)", 2.0),
        ("functools.partial(Net, depth=12)", 1.0),
        ("functools.partial(functools.partial(build, width=2.0), depth=6)", 1.0),
    ],
)
def test_calls_with_some_arguments_are_functions_too(
    written: Callable[[str], str], made: str, width: float
) -> None:
    name = written(f"{PARTIAL}make = {made}\n")
    asked = networks.Settings(f"{name}:make", width=width)
    first = networks.describe(asked, SHAPE, CLASSES).layers[0]
    assert first.shape == (6 if "width=2.0" in made else 12, 192)  # the study's width replaces that of a call


@pytest.mark.parametrize(
    "made",
    [
        "functools.partial(print)",
        "functools.partial(dict, a=1)",
        "build(5, 4)",
        "[].append",
        "nn.Linear(3, 3).forward",
    ],
)
def test_other_things_that_can_be_called_are_not(written: Callable[[str], str], made: str) -> None:
    name = written(f"{PARTIAL}make = {made}\n")
    with pytest.raises(ConfigError, match="expected a function or class that gives a") as caught:
        networks.describe(networks.Settings(f"{name}:make"), SHAPE, CLASSES)
    assert "\n" not in str(caught.value)
