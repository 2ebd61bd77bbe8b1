"""Saying in one line what in a user's network cannot be compiled, and where it stands."""

from __future__ import annotations

import re
import traceback

from torch import fx

from tvmlcnn.errors import UserError, reason_of

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')
_NOT_THE_USER_S = ("/torch/", "/torchvision/", "<string>", "<eval_with_key>", "/tvmlcnn/")

_TORCHVISION_S_DETECTORS = "/torchvision/models/detection/"

REFUSED: dict[str, str] = {
    **dict.fromkeys(
        [
            "nonzero.default",
            "masked_select.default",
            "unique_consecutive.default",
            "_unique2.default",
        ],
        "the shape of its result depends on the input's values",
    ),
    **dict.fromkeys(
        ["_local_scalar_dense.default", "item.default"],
        "it makes a number of the input's values, which the graph cannot depend on",
    ),
    "torchvision.nms.default": "how many boxes it keeps depends on the input's values; use "
    "tvmlcnn.detection.nms or batched_nms, which return a fixed number",
    **dict.fromkeys(
        ["nanmedian.default", "nanmedian.dim"],
        "which element it is depends on how many are no number; use median",
    ),
    "repeat_interleave.Tensor": "the shape of its result depends on the input's values",
    "embedding_renorm.default": "max_norm changes the table on each call; set it to None, "
    "and scale the table once",
    "masked_scatter.default": "how much it writes where depends on the input's values",
    **dict.fromkeys(
        ["rand.default", "randn.default", "randperm.default", "rand_like.default"]
        + ["rand.generator", "randn.generator", "randint.default", "randint.low"]
        + ["randint_like.default", "randint_like.low_dtype", "normal_functional.default"]
        + ["multinomial.default", "uniform.default", "exponential.default"]
        + ["randn_like.default", "bernoulli.p", "bernoulli.default", "native_dropout.default"],
        "it is random; call eval(), or make what is random an input",
    ),
    **dict.fromkeys(
        ["_fft_r2c.default", "_fft_c2r.default", "_fft_c2c.default", "view_as_complex.default"],
        "complex numbers cannot be compiled; write the transform as a product with a matrix",
    ),
    **dict.fromkeys(
        [
            "_adaptive_avg_pool2d_backward.default",
            "avg_pool2d_backward.default",
            "convolution_backward.default",
            "max_pool2d_with_indices_backward.default",
            "embedding_dense_backward.default",
            "native_group_norm_backward.default",
            "native_layer_norm_backward.default",
            "_batch_norm_with_update_functional.default",
        ],
        "it is training's; compile the module as it is called after eval()",
    ),
    **dict.fromkeys(
        ["_linalg_svd.default", "linalg_qr.default", "linalg_inv_ex.default"]
        + ["linalg_cholesky_ex.default", "_linalg_eigh.default", "_linalg_det.default"]
        + ["_linalg_solve_ex.default", "linalg_lu_factor_ex.default", "_linalg_slogdet.default"]
        + ["cholesky_solve.default", "cholesky_inverse.default"]
        + ["linalg_pinv.atol_rtol_tensor"],
        "decompositions of matrices cannot be compiled; compute them of parameters, or outside",
    ),
    "empty.memory_format": "its memory is undefined; use zeros",
    "_embedding_bag.default": "bags of embeddings cannot be compiled; use embedding and sum",
    "_pdist_forward.default": "distances of one set cannot be compiled; use cdist",
}
"""Why an operator is refused, by its name and overload."""


def refusal(node: fx.Node, operator: str, reason: str) -> UserError:
    """Return the error that names an operator, where it stands in the user's source, and why."""
    place = _place(node.meta.get("stack_trace"))
    return UserError(f"{operator}{place} cannot be compiled: {reason}")


def _place(trace: str | None) -> str:
    """Return file and line of the innermost frame that is not the library's."""
    lines = (trace or "").splitlines()
    found = [
        (match, lines[number + 1].strip() if number + 1 < len(lines) else "")
        for number, line in enumerate(lines)
        if (match := _FRAME.search(line)) and not any(p in match["file"] for p in _NOT_THE_USER_S)
    ]
    if not found:
        return ""
    match, code = found[-1]
    name = match["file"].rpartition("/")[2]
    return f" ({name}:{match['line']}: {code[:80]})" if code else f" ({name}:{match['line']})"


def export_refusal(error: Exception) -> UserError:
    """Return what to say where torch cannot export a module."""
    text = str(error)
    reason = reason_of(error)
    named = type(error).__name__
    if "data-dependent" in text or "DataDependent" in named or "Unbacked" in named:
        reason = "its control flow or a shape depends on the input's values"
    if "found a fake tensor in the exported program constant" in text:
        reason = "forward writes to a parameter or a constant; have it compute a new tensor"
    if any(_TORCHVISION_S_DETECTORS in file for file, _ in _frames(error)):
        reason += "; give a module of its backbone and head, as docs/detection.md does"
    return UserError(f"torch.export cannot export the model{place_of(error)}: {reason}")


def place_of(error: BaseException) -> str:
    """Return, in brackets, file and line of the user's source that an error came from, if any."""
    of_user = [place for place in _frames(error) if not any(p in place[0] for p in _NOT_THE_USER_S)]
    return f" ({of_user[-1][0].rpartition('/')[2]}:{of_user[-1][1]})" if of_user else ""


def _frames(error: BaseException) -> list[tuple[str, str]]:
    """Return file and line of what torch quotes, and of what raised the error."""
    frames = [(m["file"], m["line"]) for m in _FRAME.finditer(str(error))]
    return frames + [(f.filename, str(f.lineno)) for f in traceback.extract_tb(error.__traceback__)]
