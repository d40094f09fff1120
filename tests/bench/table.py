"""The table that the comparison prints, row by row as they are measured, and writes as markdown."""
import statistics
from dataclasses import dataclass


@dataclass
class Row:
    what: str
    peer: str
    theirs: str
    ours: str
    ratio: float  # None: nothing to compare with
    target: float  # None: none is set
    at_most: bool = False  # the target is a bound from above, on `value`
    value: float = None  # what is held against it; None: the ratio
    target_text: str = None

    def met(self):
        value = self.ratio if self.value is None else self.value
        if self.target is None or value is None:
            return ""
        return "yes" if (value <= self.target if self.at_most else value >= self.target) else "no"

    def cells(self):
        target = self.target_text or ("" if self.target is None else f"{self.target:g}x")
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return [self.what, self.peer, self.theirs, self.ours, ratio, target, self.met()]


def speed(values, unit):
    median = statistics.median(values)
    return f"{median:,.0f} {unit}" if median >= 100 else f"{median:.3g} {unit}"


class Table:
    HEAD = ["what", "peer", "peer's figure", "mlc's figure", "ratio", "target", "met?"]

    def __init__(self):
        self.first = ""
        self.rows = []
        self.notes = []

    def begin(self, first):
        self.first = first
        print(f"{first}\n\n{self.line(self.HEAD)}\n{self.line(['---'] * len(self.HEAD))}", flush=True)

    @staticmethod
    def line(cells):
        return "| " + " | ".join(cells) + " |"

    def add(self, row):
        self.rows.append(row)
        print(self.line(row.cells()), flush=True)

    def note(self, text):
        self.notes.append(text)

    def summary(self):
        held = [r.met() for r in self.rows if r.met()]
        return f"{held.count('yes')} of {len(held)} targets met."

    def write(self, path):
        lines = [self.first, "", self.line(self.HEAD), self.line(["---"] * len(self.HEAD)), *(self.line(r.cells()) for r in self.rows), ""]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines + [f"- {note}" for note in self.notes] + ["", self.summary(), ""]))

    def end(self):
        print("\n" + "\n".join(f"- {note}" for note in self.notes) + f"\n\n{self.summary()}")
