"""The zoo: light CNNs as plain torch modules, registered by name, and their blocks.

Naming of the parameters follows torchvision where it has the network, so that released state
dicts load key by key. Nothing here knows of TVM. Other packages add networks with `register`.
"""

from tvmlcnn.models.alexnet import AlexNet
from tvmlcnn.models.channel_shuffle import channel_shuffle
from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.densenet import DenseLayer, DenseNet, Transition
from tvmlcnn.models.mobilefacenet import GlobalDepthwiseConv, MobileFaceNet
from tvmlcnn.models.mobilenet_v1 import MobileNetV1, SeparableConv
from tvmlcnn.models.mobilenet_v2 import InvertedResidual, MobileNetV2
from tvmlcnn.models.mobilenet_v3 import InvertedResidualV3, MobileNetV3
from tvmlcnn.models.preresnet import PreactivationBottleneck, PreactivationResNet
from tvmlcnn.models.registry import Entry, ZooModel, create, entries, names, register
from tvmlcnn.models.resnet import Bottleneck, ResNet
from tvmlcnn.models.shufflenet_v1 import ShuffleNetV1, ShuffleUnit
from tvmlcnn.models.shufflenet_v2 import ShuffleNetV2, ShuffleUnitV2
from tvmlcnn.models.squeeze_excitation import SqueezeExcitation
from tvmlcnn.models.squeezenet import Fire, SqueezeNet

__all__ = [
    "AlexNet",
    "Bottleneck",
    "DenseLayer",
    "DenseNet",
    "Entry",
    "Fire",
    "GlobalDepthwiseConv",
    "InvertedResidual",
    "InvertedResidualV3",
    "MobileFaceNet",
    "MobileNetV1",
    "MobileNetV2",
    "MobileNetV3",
    "PreactivationBottleneck",
    "PreactivationResNet",
    "ResNet",
    "SeparableConv",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "ShuffleUnit",
    "ShuffleUnitV2",
    "SqueezeExcitation",
    "SqueezeNet",
    "Transition",
    "ZooModel",
    "channel_shuffle",
    "conv_bn",
    "create",
    "entries",
    "names",
    "register",
]
