"""The table of rules: what people write in the place of what, one name for one mistake in the whole course.

``name: pattern => replacement | words``. The words complete "In dx (eq. 3.23), ..."; ``{A}`` is what stands for a capital letter,
``{N}`` how many a sum or mean is over, and ``{examples}`` what these are.
Rules before the line of dots are also tried two at a time, and where a quantity is made anew for one line alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from bnlib.language.rewriting import Rule

TABLE = """
sum-for-mean: mean(A) => sum(A) | a sum stands where a mean belongs: is there a division by the number of {examples}?
mean-for-sum: sum(A) => mean(A) | a mean stands where a sum belongs: here the contributions add up
only-the-diagonal: mean(A) => A / N | only the term k = i of a mean is there: every k contributes, so there is a sum over all of them
not-summed: sum(A) => A | the sum of {A} is not taken
one-division-too-many: mean(A) => mean(A) / N | there is one division by {N} too many
bessel: variance(A) => variance(A) * N / (N - 1) | the variance divides by {N} - 1, and it should divide by {N}: look at ddof
bessel: mean(A) => sum(A) / (N - 1) | a mean divides by {N} - 1, and it should divide by {N}
std-for-variance: variance(A) => sqrt(variance(A)) | a standard deviation stands where a variance belongs
sum-for-mean: variance(A) => variance(A) * N | the squared distances are added up, and not averaged
not-centred: variance(A) => mean(A**2) | the squares of {A} are averaged: a variance takes the mean away first
not-squared: variance(A) => mean(abs(A - mean(A))) | the distances from the mean are averaged without being squared
one-pass-variance: variance(A) => mean(A**2) - mean(A)**2 | the digits are gone: was the variance computed as the mean of the squares minus the squared mean? With a large mean these are two large, nearly equal numbers
eps-missing: V + eps => V | eps does not take part
eps-outside-the-root: sqrt(V + eps) => sqrt(V) + eps | eps is added after the root was taken: what does the root reach over?
lost-parentheses: A / sqrt(V + eps) => A / sqrt(V) + eps | eps is added to the fraction, and belongs below its line: are brackets missing?
no-root: sqrt(A) => A | the root is missing
no-root-no-eps: sqrt(V + eps) => V | a variance stands where its root belongs, and eps does not take part
squared: sqrt(A) => A**2 | a square stands where a root belongs
root-taken-twice: sqrt(A) => sqrt(sqrt(A)) | the root is taken twice
eps-squared: V + eps => V + eps**2 | eps is squared
eps-sign: V + eps => V - eps | eps has the wrong sign
variance-for-mean-square: mean(A**2) => variance(A) | a variance stands where a mean of squares belongs: they are the same only where the mean is zero
exchanged: A * B + C => C * B + A | {A} and {C} are exchanged: which of them is multiplied, and which added?
summed-before-multiplied: sum(A * B) => sum(A) * sum(B) | {A} and {B} are added up separately and multiplied afterwards: multiply first, then add
shift-before-scale: A * B + C => A * (B + C) | {C} is multiplied by {A} as well: it should be added behind the product
lost-parentheses: A * (B + C) => A * B + C | {C} is not multiplied by {A}: are brackets missing?
lost-parentheses: (B + C) / A => B + C / A | {B} is not divided by {A}: are brackets missing?
lost-parentheses: A * (B + C) / D => A / D * B + C | {C} is neither multiplied by {A} nor divided by {D}: are brackets missing?
lost-parentheses: A * (B + C) / D => A * B + C / D | {B} is not divided by {D}, and {C} not multiplied by {A}: are brackets missing?
lost-parentheses: (B + C)**2 => B**2 + C | {B} alone is squared: are brackets missing?
lost-parentheses: A / (B + C) => A / B + C | {C} should stand below the fraction line as well: are brackets missing?
mean-of-a-product: mean(A * B) => mean(A) * mean(B) | the mean of a product is not the product of the means
mean-of-a-product: mean(A * B) => A * mean(B) | {A} stands outside the mean, and belongs inside
mean-of-a-product: A * mean(B) => mean(A * B) | {A} stands inside the mean, and belongs outside
swapped-inside: A - mean(B) - C * mean(D) => A - mean(D) - C * mean(B) | {B} and {D} stand in each other's place: which of their means does {C} multiply?
.......
multiplied-by-N: mean(A) => sum(A) * N | a sum is multiplied by {N}, the number of {examples}, and it should be divided by it
multiplied-by-N: variance(A) => variance(A) * N * N | a sum is multiplied by {N}, the number of {examples}, and it should be divided by it
power-for-product: A**3 => A * 3 | {A} is multiplied by 3, and it should be raised to the third power (* for **)
power-for-product: A**2 => A * 2 | {A} is multiplied by 2, and it should be squared (* for **)
mean-not-squared: variance(A) => mean(A**2) - mean(A) | the mean is taken from the mean of the squares without being squared itself
not-averaged: mean(A) => A | the mean of {A} is not taken
not-squared: A**2 => A | {A} is not squared
exponent: A**3 => A**2 | one power of {A} is missing
exponent: A**3 => A | two powers of {A} are missing
exponent: A**2 => A**3 | there is one power of {A} too many
sign: A + B => A - B | {B} has the wrong sign
sign: -A => A | {A} has the wrong sign
term-missing: A + B => A | {B} is missing
half-lost: 1/2 * A => A | a factor 1/2 is missing: the derivative of a root has one
two-lost: 2 * A => A | a factor 2 is missing: the derivative of a square has one
factor-missing: A * B => A | the factor {B} is missing in one place
factor-twice: A * B => A * B * B | the factor {B} is there once too often
division-for-product: A * B => A / B | {A} is divided by {B}, and not multiplied
product-for-division: A / B => A * B | {A} is multiplied by {B}, and not divided
not-divided: A / B => A | the division by {B} is missing
divided-twice: A / B => A / B / B | there is one division by {B} too many
upside-down: A / B => B / A | the fraction is upside down
sum-of-a-product: sum(A * B) => A * sum(B) | {A} stands outside the sum, and belongs inside
"""

FIXED = (1e-5, 1e-8, 1e-3, 1e-6, 1e-7, 1e-4, 1e-10, 1e-12)
"""Values of eps that people write into their code."""


@dataclass(frozen=True)
class Named:
    """A rule with its name and words; ``often`` when two may be made at once."""

    name: str
    rule: Rule
    words: str
    often: bool


def parsed(table: str) -> Iterator[Named]:
    """The rules of a table; those behind a line of dots are not made two at a time."""
    often = True
    for line in filter(None, map(str.strip, table.splitlines())):
        if set(line) == {"."}:
            often = False
            continue
        name, _, rest = line.partition(":")
        rule, _, words = rest.partition("|")
        yield Named(name.strip(), Rule.of(rule), words.strip(), often)


@cache
def rules() -> tuple[Named, ...]:
    """The rules that hold for every derivation."""
    return tuple(parsed(TABLE))
