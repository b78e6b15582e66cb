"""Words for what is wrong with a network from elsewhere."""

from masklab.networks.description import InputShape, Settings


def where(settings: Settings) -> str:
    """The field and its value, for the head of a message."""
    return f"network.name {settings.name!r}"


def line(error: BaseException) -> str:
    r"""Kind and text of an exception, in one line of at most 300 characters.

    Examples:
        >>> line(ValueError("two\n  lines"))
        'ValueError: two lines'
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def shape(input_shape: InputShape) -> str:
    """Images' shape as printed: channels × height × width.

    Examples:
        >>> shape((3, 32, 32))
        '3×32×32'
    """
    return "×".join(map(str, input_shape))
