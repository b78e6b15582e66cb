import sys

import pytest
import torch
from torch import nn
from torch.func import functional_call

from masklab import networks
from masklab.errors import ConfigError

CASES = [
    ("resnet18", 64),
    ("mobilenet_v3_small", 32),
    ("squeezenet1_1", 32),
    ("shufflenet_v2_x0_5", 32),
    ("googlenet", 32),
    ("inception_v3", 75),
    ("swin_t", 32),
    ("vit_b_32", 32),
]


def settings(name: str, **more: object) -> networks.Settings:
    return networks.Settings.of({"name": f"torchvision:{name}", **more})


@pytest.mark.parametrize(("name", "size"), CASES)
def test_every_parameter_is_masked_or_accounted_for(name: str, size: int) -> None:
    state = torch.get_rng_state()
    described = networks.describe(settings(name), (3, size, size), 6)
    module = networks.skeleton(settings(name), (3, size, size), 6)
    assert torch.equal(torch.get_rng_state(), state)
    masked = {f"{layer.name}.weight": layer.shape for layer in described.layers}
    unmasked = {parameter.name: parameter.shape for parameter in described.unmasked}
    assert not masked.keys() & unmasked.keys()
    assert {key: tuple(value.shape) for key, value in module.named_parameters()} == masked | unmasked
    kinds = (nn.Conv2d, nn.Linear)
    assert {f"{key}.weight" for key, part in module.named_modules() if isinstance(part, kinds)} == set(masked)
    running = {key for key, _ in module.named_buffers() if key.rpartition(".")[2].startswith("running_")}
    assert {key for key, _ in described.buffers} == running
    assert not [key for key, _ in module.named_buffers() if key.endswith("num_batches_tracked")]
    assert module.training
    constructed = [o.name for o in described.unmasked if o.rule == "constructed"]
    assert bool(constructed) == any("cannot be masked" in note for note in described.notes)
    assert bool(constructed) == name.startswith(("swin", "vit"))


@pytest.mark.parametrize(("name", "size"), [("resnet18", 32), ("googlenet", 32), ("squeezenet1_1", 32)])
def test_layers_come_in_the_order_of_execution(name: str, size: int) -> None:
    from torchvision import models

    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    module = models.get_model(name, weights=None, num_classes=6, **options).eval()
    called = []
    for key, part in module.named_modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.register_forward_hook(lambda *_, key=key: called.append(key))
    with torch.no_grad():
        module(torch.zeros(1, 3, size, size))
    assert called == [layer.name for layer in networks.describe(settings(name), (3, size, size), 6).layers]


def test_attention_is_placed_where_it_runs_though_its_layers_are_not_called() -> None:
    names = [layer.name for layer in networks.describe(settings("vit_b_32"), (3, 32, 32), 6).layers]
    block = "encoder.layers.encoder_layer_0"
    assert names[:4] == ["conv_proj", f"{block}.self_attention.out_proj", f"{block}.mlp.0", f"{block}.mlp.3"]
    assert names[-1] == "heads.head"


def test_rules_of_what_is_not_masked() -> None:
    frozen = networks.describe(settings("resnet18"), (3, 32, 32), 6)
    rules = {parameter.name: parameter.rule for parameter in frozen.unmasked}
    assert (rules["bn1.weight"], rules["bn1.bias"], rules["fc.bias"]) == ("one", "zero", "zero")
    assert len(rules) == 41
    assert frozen.notes == [
        "torchvision:resnet18: held fixed: 21 biases or shifts at 0, 20 norm weights at 1"
    ]
    chosen = settings("resnet18", batchnorm="learned", mask_except=["fc", "*downsample*"])
    learned = networks.describe(chosen, (3, 32, 32), 6)
    rules = {parameter.name: parameter.rule for parameter in learned.unmasked}
    assert (rules["bn1.weight"], rules["bn1.bias"]) == ("learned-one", "learned-zero")
    drawn = [f"layer{stage}.0.downsample.0.weight" for stage in (2, 3, 4)] + ["fc.weight"]
    assert [name for name, rule in rules.items() if rule == "drawn"] == drawn
    assert len(learned.layers) == len(frozen.layers) - 4
    with pytest.raises(ConfigError, match=r"torchvision:vit_b_32 has no batch norm"):
        networks.describe(settings("vit_b_32", batchnorm="learned"), (3, 32, 32), 6)


def test_constructed_values_follow_the_seed() -> None:
    asked = settings("swin_t"), (3, 32, 32), 6
    state = torch.get_rng_state()
    first, again, other = (networks.constructed(*asked, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    named = [o.name for o in networks.describe(*asked).unmasked if o.rule == "constructed"]
    assert list(first) == named
    assert all((first[name] == again[name]).all() for name in named)
    assert (
        first["features.1.0.attn.relative_position_bias_table"]
        != other["features.1.0.attn.relative_position_bias_table"]
    ).any()
    assert {value.dtype.name for value in first.values()} == {"float32"}
    from torchvision import models

    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = models.swin_t(weights=None, num_classes=6)
    for name, value in module.named_parameters():
        if name in first:
            assert (value.detach().numpy() == first[name]).all()


def test_the_skeleton_runs_on_values_from_outside() -> None:
    module = networks.skeleton(settings("mobilenet_v3_small"), (3, 32, 32), 6)
    zeros = {name: torch.zeros_like(value) for name, value in module.named_parameters()}
    statistics = {name: torch.ones_like(value) for name, value in module.named_buffers()}
    outputs = functional_call(module, (zeros, statistics), (torch.rand(2, 3, 32, 32),))
    assert not outputs.any()
    momentum = next(o for o in module.modules() if isinstance(o, nn.BatchNorm2d)).momentum
    assert momentum is not None
    first = statistics["features.0.1.running_mean"]
    torch.testing.assert_close(first, torch.full_like(first, 1 - momentum))


def test_unknown_models_suggest_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown torchvision model 'resnt18' \(did you mean 'resnet18'\?\)"
    ):
        networks.describe(settings("resnt18"), (3, 32, 32), 6)
    with pytest.raises(ConfigError, match=r"network\.name: unknown torchvision model 'fcn_resnet50'"):
        networks.skeleton(settings("fcn_resnet50"), (3, 32, 32), 6)


def test_sizes_that_a_model_refuses_are_reported_in_one_line() -> None:
    for name, shape, cause in (
        ("vit_b_32", (3, 33, 33), "cannot be built for images of 3×33×33: AssertionError"),
        ("vit_b_32", (3, 32, 64), "cannot run on images of 3×32×64: AssertionError"),
        ("mobilenet_v3_small", (1, 32, 32), "cannot run on images of 1×32×32: RuntimeError: .*channels"),
    ):
        with pytest.raises(ConfigError, match=f"network.name 'torchvision:{name}': {cause}") as caught:
            networks.describe(settings(name), shape, 6)
        assert "\n" not in str(caught.value)


def test_a_torchvision_that_cannot_be_imported_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ConfigError, match=r"'torchvision:resnet18': torchvision cannot be imported: "):
        networks.describe(settings("resnet18"), (3, 32, 32), 6)
