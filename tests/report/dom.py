"""A strict little HTML tree: every element must be closed, in order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str]
    children: list["Node | str"] = field(default_factory=list)

    def all(self, tag: str = "") -> Iterator["Node"]:
        for child in self.children:
            if isinstance(child, Node):
                if not tag or child.tag == tag:
                    yield child
                yield from child.all(tag)

    def text(self) -> str:
        return "".join(
            child if isinstance(child, str) else child.text()
            for child in self.children
            if isinstance(child, str) or child.tag not in {"script", "style"}
        )

    def has(self, name: str) -> bool:
        return name in self.attributes.get("class", "").split()

    def by_id(self, name: str) -> "Node":
        (found,) = [node for node in self.all() if node.attributes.get("id") == name]
        return found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        assert len(node.attributes) == len(attrs), f"an attribute twice in {self.get_starttag_text()}"
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}> at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Node:
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert len(parser.open) == 1, f"<{parser.open[-1].tag}> is never closed"
    return parser.open[0]


def rows(table: Node) -> list[list[Node]]:
    """Cells of every body row."""
    (body,) = table.all("tbody")
    return [[cell for cell in row.all() if cell.tag in {"td", "th"}] for row in body.all("tr")]


def part(cell: Node, name: str) -> str:
    """Text of a cell's `text` or `detail`, empty where there is none."""
    return "".join(node.text() for node in cell.all("span") if node.has(name))


def table(root: Node, name: str) -> list[list[tuple[str, str]]]:
    """Text and details of every cell of a table of the first study."""
    return [
        [(part(cell, "text"), part(cell, "detail")) for cell in row] for row in rows(root.by_id(f"s1-{name}"))
    ]
