import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masklab import networks
from masklab.errors import ConfigError

CIFAR = (3, 32, 32)
CONV4 = ["conv1", "conv2", "conv3", "conv4", "fc1", "fc2", "fc3"]


def test_settings_take_what_they_know_and_default_the_rest() -> None:
    old = {"name": "conv2", "width": 1, "activation": "tanh", "layers": [], "classes": 3}
    assert networks.Settings.of(old) == networks.Settings("conv2", 1.0, "tanh")
    new = {"name": "mlp", "batchnorm": "learned", "mask_only": ["fc*"], "mask_except": ["fc3"]}
    expected = networks.Settings("mlp", batchnorm="learned", mask_only=("fc*",), mask_except=("fc3",))
    assert networks.Settings.of(new) == expected
    assert hash(networks.Settings.of(new)) == hash(expected)
    with pytest.raises(ConfigError, match=r"network\.name is missing"):
        networks.Settings.of({"width": 1.0})


@pytest.mark.parametrize(
    "settings",
    [
        networks.Settings("resnet18", 0.5, "binary", "learned", ("layer1*",), ("fc",)),
        networks.Settings("torchvision:no_such_model"),
        networks.Settings("no_such_package.of.mine:make", 3.0, "tanh"),
    ],
)
def test_what_needs_data_or_an_import_is_not_checked_early(settings: networks.Settings) -> None:
    networks.check(settings)


WRONG = [
    (
        networks.Settings("conv_2"),
        r"network\.name: unknown network 'conv_2' \(did you mean 'conv2'\?\); known: ",
    ),
    (networks.Settings("nets.py"), r"or torchvision:<model>, or package\.module:function"),
    (networks.Settings("a:b:c"), r"network\.name 'a:b:c': allowed: .*package\.module:function"),
    (networks.Settings("my-nets:make"), r"network\.name 'my-nets:make': allowed"),
    (networks.Settings("a..b:make"), r"network\.name 'a..b:make': allowed"),
    (networks.Settings("nets:"), r"network\.name 'nets:': allowed"),
    (networks.Settings("torchvision:"), r"network\.name 'torchvision:': allowed: torchvision:<model>"),
    (networks.Settings("torchvision:a/b"), r"network\.name 'torchvision:a/b': allowed: torchvision:<model>"),
    (networks.Settings("torchvision:vgg11", width=2.0), r"network\.width 2\.0 has no effect.*allowed: 1\.0"),
    (networks.Settings("torchvision:vgg11", activation="tanh"), r"network\.activation 'tanh' has no effect"),
    (networks.Settings("mlp", activation="rleu"), r"network\.activation: unknown .*did you mean 'relu'"),
    (networks.Settings("mlp", batchnorm="on"), r"network\.batchnorm: unknown .*known: frozen, learned"),
    (networks.Settings("mlp", width=-1.0), r"network\.width must be a number above 0, got -1\.0"),
    (networks.Settings("mlp", width=float("inf")), r"network\.width must be a number above 0, got inf"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_wrong_settings_are_refused_in_one_line(settings: networks.Settings, message: str) -> None:
    for refuse in (networks.check, lambda o: networks.describe(o, CIFAR, 10)):
        with pytest.raises(ConfigError, match=message) as caught:
            refuse(settings)
        assert "\n" not in str(caught.value)


def test_batchnorm_cannot_be_learned_where_there_is_none() -> None:
    for name in ("conv4", "mlp"):
        with pytest.raises(ConfigError, match=rf"network\.batchnorm = 'learned': {name} has no batch norm"):
            networks.describe(networks.Settings(name, batchnorm="learned"), CIFAR, 10)


patterns = st.lists(st.sampled_from(["conv*", "fc*", "*1", "*[23]", "conv4", "fc?", "*"]), max_size=3).map(
    tuple
)


@given(only=patterns, rest=patterns)
def test_patterns_split_the_layers_and_keep_their_order(only: tuple[str, ...], rest: tuple[str, ...]) -> None:
    wanted = [
        name
        for name in CONV4
        if (not only or any(fnmatch.fnmatchcase(name, p) for p in only))
        and not any(fnmatch.fnmatchcase(name, p) for p in rest)
    ]
    settings = networks.Settings("conv4", 0.1, mask_only=only, mask_except=rest)
    if not wanted:
        with pytest.raises(ConfigError, match="leave nothing to mask; the layers are conv1, conv2"):
            networks.describe(settings, CIFAR, 10)
        return
    found = networks.describe(settings, CIFAR, 10)
    whole = networks.describe(networks.Settings("conv4", 0.1), CIFAR, 10)
    shapes = {layer.name: layer.shape for layer in whole.layers}
    assert [(layer.name, layer.shape) for layer in found.layers] == [(name, shapes[name]) for name in wanted]
    left = [name for name in CONV4 if name not in wanted]
    assert found.unmasked == [networks.Parameter(f"{name}.weight", shapes[name], "drawn") for name in left]
    assert [", ".join(left) in note for note in found.notes] == [True] * bool(left)


@pytest.mark.parametrize("key", ["mask_only", "mask_except"])
def test_a_pattern_without_a_layer_is_refused_with_the_layers(key: str) -> None:
    settings = networks.Settings.of({"name": "mlp", key: ["fc*", "conv*"]})
    with pytest.raises(
        ConfigError, match=rf"network\.{key}: 'conv\*' matches no layer; the layers are fc1, fc2, fc3$"
    ):
        networks.describe(settings, CIFAR, 10)


def test_long_lists_of_names_are_folded() -> None:
    settings = networks.Settings("resnet34", 0.1, mask_except=("layer*",))
    (note,) = networks.describe(settings, CIFAR, 10).notes
    assert "layer*.*.conv* (32 of them), layer*.*.shortcut.conv (3 of them)" in note
