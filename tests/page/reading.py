"""A page read back: its elements with the text in them, and the numbers that it says."""

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br", "hr", "wbr", "source"}


@dataclass
class Element:
    tag: str
    attributes: dict
    parent: "Element | None" = None
    children: list = field(default_factory=list)

    @property
    def text(self):
        return "".join(each if isinstance(each, str) else each.text for each in self.children)

    def walk(self):
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def find(self, tag=None, **attributes):
        """Elements within with a tag and attributes; `class_` is one of the classes."""
        wanted = attributes.pop("class_", None)
        return [
            each
            for each in self.walk()
            if tag in (None, each.tag)
            and (wanted is None or wanted in (each.attributes.get("class") or "").split())
            and all(each.attributes.get(k.replace("_", "-")) == v for k, v in attributes.items())
        ]

    def text_without(self, *classes):
        """The text but for that of elements of some classes."""
        if set(classes) & set((self.attributes.get("class") or "").split()):
            return ""
        return "".join(
            each if isinstance(each, str) else each.text_without(*classes) for each in self.children
        )


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.root = self.at = Element("root", {})

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {attrs}"
        element = Element(tag, dict(attrs), self.at)
        self.at.children.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag, attrs):
        self.at.children.append(Element(tag, dict(attrs), self.at))

    def handle_endtag(self, tag):
        assert self.at.tag == tag, f"</{tag}> closes <{self.at.tag} {self.at.attributes}>"
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.children.append(data)


def read_page(html):
    """Parse a page; an element that is not closed where it should be fails."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.at is reader.root, f"<{reader.at.tag}> is never closed"
    return reader.root


def read_data(page):
    """The JSON that the scripts read."""
    (block,) = page.find("script", id="page-data")
    return json.loads(block.text)


def digits_outside(section):
    """Digits of a section that no element answers for: numbers, or names that users chose."""
    text = section.text_without("metric", "derived", "constant", "other", "name")
    return re.findall(r"\S*\d\S*", text)
