"""Saying in one line why torch does not run, or export, a user's module for inputs of some shapes.

What torch raises for a shape that a layer does not take is of many types, and of the same ones as
what has nothing to do with shapes; its words tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tvmlcnn.errors import UserError, first_line, reason_of
from tvmlcnn.input_form import Shape, size_of

from .refusals import place_of

_ALLOCATION = "DefaultCPUAllocator"
# A module that lacks something, wherever it looks for it.
_NEVER_OF_SHAPES = (ImportError, AttributeError, NameError, LookupError, OSError)
_OF_SHAPES = re.compile(
    r"shape|sizes?\b|dimension|\bdim\b|\d-?d\b|channel|broadcast|index|element|multipl|divisible"
    r"|padding|kernel|stride|unpack|too (small|large)|mat1|rank|assert",
    re.IGNORECASE,
)
# Of a list of the model's, and not of a tensor: those say their dimension.
_OF_LISTS = re.compile(r"^(list )?index( -?\d+ is)? out of range$")
# No input is of these types, so that a model that has them makes them by itself.
_OF_HALF = re.compile(r"half|bfloat16|float16", re.IGNORECASE)
_OF_TYPES = re.compile(r"scalar type|dtype|tensor type", re.IGNORECASE)
_OF_GRADIENTS = re.compile(r"require(s|d)? grad|grad_fn|inference tensor", re.IGNORECASE)
_OF_NUMBER = re.compile(r"positional argument")


def is_of_memory(error: Exception) -> bool:
    """Tell whether there was too little memory."""
    return isinstance(error, MemoryError) or _ALLOCATION in str(error)


def run_refusal(error: Exception, shapes: Sequence[Shape]) -> UserError:
    """Return what to say where torch cannot run a module for inputs of some shapes."""
    given = ", ".join(map(size_of, shapes))
    if is_of_memory(error):
        return too_large(shapes)
    if isinstance(error, TypeError) and _OF_NUMBER.search(str(error)):
        mend = "give the shape of each input"
    elif _OF_HALF.search(str(error)):
        return UserError(
            f"the model computes in half precision{place_of(error)}: {reason_of(error)}; have it "
            "stay in float32"
        )
    elif _is_of(error, _OF_TYPES):
        mend = "give its type too, as 1x16:int64"
    elif _is_of(error, _OF_SHAPES):
        mend = "give another shape"
    else:
        return UserError(
            f"torch cannot run the model{place_of(error)}: {first_line(error)}; see that it runs "
            "by itself, with an input of this shape: " + given
        )
    return UserError(
        f"the model cannot take an input of shape {given}: {reason_of(error)}; {mend}",
        parameters=("input_shape",),
    )


def too_large(shapes: Sequence[Shape]) -> UserError:
    """Return what to say where the memory does not hold a network's inputs, or what it makes."""
    return UserError(
        f"inputs of shape {', '.join(map(size_of, shapes))}, and what is made of them, take more "
        "memory than there is; give a smaller shape",
        parameters=("input_shape",),
    )


def _is_of(error: Exception, words: re.Pattern[str]) -> bool:
    # An assertion of the user's often says nothing.
    text = str(error) or ("assert" if isinstance(error, AssertionError) else "")
    if isinstance(error, _NEVER_OF_SHAPES) and not isinstance(error, IndexError):
        return False
    if _OF_GRADIENTS.search(text):
        return False
    if isinstance(error, IndexError) and _OF_LISTS.search(text):
        return False
    return words.search(text) is not None
