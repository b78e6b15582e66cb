"""Data, network, recipe, accuracy, and the programs behind them."""

from collections.abc import Iterable, Iterator

from masklab.report import load, models, numbers, recipe, sources, text
from masklab.report.methods import masks

_DATA = {
    "digits": ("alpaydin1998digits", "pedregosa2011scikit"),
    "cifar10": ("krizhevsky2009tiny",),
    "cifar100": ("krizhevsky2009tiny",),
    "mnist": ("lecun1998gradient",),
    "fashion-mnist": ("xiao2017fashion",),
}
"""Where data sets come from."""

_NETWORKS = {
    "conv2": ("frankle2019lottery",),
    "conv4": ("frankle2019lottery",),
    "conv6": ("frankle2019lottery",),
    "conv8": ("ramanujan2020hidden",),
    "mlp": ("lecun1998gradient",),
    "resnet18": ("he2016residual", "diffenderfer2021multiprize"),
    "resnet34": ("he2016residual", "diffenderfer2021multiprize"),
}
"""Where networks come from."""

_TORCHVISION = "torchvision:"
_PLAN = ("engine", "precision", "device", "threads")


def data(analysis: load.Analysis) -> Iterator[str]:
    """Images and network."""
    study = analysis.study
    if study.recipe_digest is None:
        return
    if study.data.name is not None:
        yield from _images(study.data, study.data.name)
    size = sum(layer.size for layer in study.network.layers)
    yield (
        f"Network {recipe.network(study)}{_cited(_network(study.network.name or ''))}: "
        f"{numbers.count(len(study.network.layers), 'masked layer')} with {numbers.count(size, 'weight')}."
    )
    work = analysis.results.landscape_work
    yield from recipe.network_notes(study, reestimated=work is not None and work.statistics == "re-estimate")
    untrained = [own.name for own in masks.made(analysis) if not own.trained]
    if study.network.buffers and untrained:
        yield (
            f"Running statistics of masks that were not trained ({recipe.listed(untrained)}) are plain means "
            "over the training batches of one epoch, at most 200 of them."
        )


def _images(found: models.Data, name: str) -> Iterator[str]:
    validation = f", {found.validation:,} validation" if found.validation else ""
    shape = f", {' × '.join(map(str, found.input_shape))}" if found.input_shape else ""
    yield (
        f"Data set {name}{_cited(_DATA.get(name, ()))}: {found.train or 0:,} training{validation} and "
        f"{found.test or 0:,} test images{shape}, {numbers.count(len(found.classes), 'class', 'classes')}."
    )
    if found.validation:
        yield (
            "The validation images are held out of the training images, classes in proportion, the same for "
            "every member."
        )
    yield "Channels are normalised by their mean and standard deviation over all training images."


def _network(name: str) -> tuple[str, ...]:
    if not name.startswith(_TORCHVISION):
        return _NETWORKS.get(name, ())
    residual = ("he2016residual",) if name.startswith(f"{_TORCHVISION}resnet") else ()
    return (*residual, "torchvision2016")


def _cited(keys: Iterable[str]) -> str:
    found = list(keys)
    return f" {sources.cite(*found)}" if found else ""


def training(analysis: load.Analysis) -> Iterator[str]:
    """The recipe."""
    study, own = analysis.study, masks.made(analysis)
    if study.recipe_digest is None or not own:
        return
    yield f"All populations share one recipe: {recipe.training(study.training)}."
    if any(one.trained for one in own):
        yield "The loss is the cross-entropy."
    if "weight_init" in study.training:
        yield "The fan of a layer is the number of inputs of one of its outputs."
    if any(parameter.rule == "drawn" for parameter in study.network.unmasked):
        yield "Layers that are not masked have weights of the same distribution, their fan unscaled."
    if dense := [one.name for one in own if one.trained and one.control]:
        yield f"In {recipe.listed(dense)} the weights themselves are trained, drawn with their fan unscaled."


def accuracy(analysis: load.Analysis) -> Iterator[str]:
    """What accuracy is, its chance level and its intervals."""
    rows = [row for row in analysis.results.accuracy if row.estimate.value is not None]
    if not rows:
        return
    yield (
        "The stored mask is that of the last epoch; its accuracy is the share of the test images that it "
        "classes correctly."
    )
    if classes := len(analysis.study.data.classes):
        yield f"Chance level: 1 ÷ {classes} classes = {100.0 / classes:.3g} %."
    if any(row.metric == "best_epoch_accuracy" for row in rows):
        yield (
            "Beside it stands the test accuracy at the epoch of the best validation accuracy, the first of "
            "equal ones."
        )
    if any("Hall" in row.estimate.method for row in rows if row.estimate.low is not None):
        yield (
            "Intervals of means over members reach as far as Student's t or as Hall's, which is corrected "
            f"for skewness {sources.cite('hall1992skewness')}."
        )
    yield text.sampling(analysis)


def software(analysis: load.Analysis) -> Iterator[str]:
    """Programs behind the numbers of the page, and on what they ran."""
    study, results = analysis.study, analysis.results
    versions, embedded = study.provenance.versions, {row.method for row in results.embeddings if row.points}
    computed = any(own.trained or own.control for own in masks.made(analysis))
    learned = bool(embedded) or bool(results.clusters) or study.data.name == "digits"
    wanted = {
        "torch": ("PyTorch", "ansel2024pytorch", computed),
        "numpy": ("NumPy", "harris2020numpy", True),
        "scikit-learn": ("scikit-learn", "pedregosa2011scikit", learned),
        "umap-learn": ("umap-learn", "mcinnes2018software", "umap" in embedded),
    }
    own = f"masklab {numbers.plain(versions['masklab'])}" if versions.get("masklab") else "masklab"
    named = [
        f"{name} {numbers.plain(versions[key])} {sources.cite(source)}"
        for key, (name, source, used) in wanted.items()
        if used and versions.get(key)
    ]
    yield f"Computed with {', '.join([f'{own} [{sources.ITSELF}]', *named])}."
    plan = study.plan or {}
    said = "; ".join(f"{key} {numbers.plain(plan[key])}" for key in _PLAN if plan.get(key) is not None)
    if said and computed:
        yield f"Training: {said}."
