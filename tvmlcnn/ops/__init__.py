"""TE definitions of the workloads that schedules are written for.

Wherever kernels are made, TVM lowers exp and its like by `tvmlcnn.vector_math`, and what it is not
to simplify by `tvmlcnn.exact_arithmetic` and `tvmlcnn.wrapping_arithmetic`.
"""

import tvmlcnn.exact_arithmetic
import tvmlcnn.vector_math
import tvmlcnn.wrapping_arithmetic  # noqa: F401

from .batched_product import batched_product
from .chunks import chunk_of
from .concatenation import concatenate
from .convolution import Window
from .dense import dense
from .depthwise import depthwise, depthwise_products, pack_depthwise
from .depthwise_pairs import depthwise_pairs, pack_depthwise_pairs
from .depthwise_pointwise import depthwise_pointwise
from .direct import direct
from .formula import Earlier, Formula, Operand, Parameter, Step, chain
from .gathering import Gathering
from .grid_sample import grid_sample
from .grouped import diagonals, grouped, grouped_diagonals
from .matrix_product import matrix_product
from .normalization import normalize_channels, normalize_rows
from .packing import pack, place_of_pairs
from .patches import patches
from .pixels import gather_frames, interleave
from .pointwise_depthwise import Banding, pointwise_depthwise, pointwise_depthwise_windows
from .pooling import average_pool, global_average, max_pool
from .reduction import raveled, reduce_columns, reduce_rows
from .resample import resample
from .roi_align import roi_align
from .scan import scan
from .scatter import scatter
from .search import search
from .shuffle import shuffle
from .softmax import softmax
from .sort import sort
from .strassen import PRODUCTS, Halving, combine_weights, strassen
from .suppress import suppress
from .surround import surround
from .tensor_product import tensor_product
from .tile import Tile
from .winograd import Blocking, winograd
from .winograd_product import winograd_product
from .winograd_transforms import filtering_of, is_exact, transform_weights

__all__ = [
    "PRODUCTS",
    "Banding",
    "Blocking",
    "Earlier",
    "Formula",
    "Gathering",
    "Halving",
    "Operand",
    "Parameter",
    "Step",
    "Tile",
    "Window",
    "average_pool",
    "batched_product",
    "chain",
    "chunk_of",
    "combine_weights",
    "concatenate",
    "dense",
    "depthwise",
    "depthwise_pairs",
    "depthwise_pointwise",
    "depthwise_products",
    "diagonals",
    "direct",
    "filtering_of",
    "gather_frames",
    "global_average",
    "grid_sample",
    "grouped",
    "grouped_diagonals",
    "interleave",
    "is_exact",
    "matrix_product",
    "max_pool",
    "normalize_channels",
    "normalize_rows",
    "pack",
    "pack_depthwise",
    "pack_depthwise_pairs",
    "patches",
    "place_of_pairs",
    "pointwise_depthwise",
    "pointwise_depthwise_windows",
    "raveled",
    "reduce_columns",
    "reduce_rows",
    "resample",
    "roi_align",
    "scan",
    "scatter",
    "search",
    "shuffle",
    "softmax",
    "sort",
    "strassen",
    "suppress",
    "surround",
    "tensor_product",
    "transform_weights",
    "winograd",
    "winograd_product",
]
