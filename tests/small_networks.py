"""A small configuration of each family of the zoo."""

SMALL = [
    "alexnet?resolution=127",
    "alexnet_grouped?resolution=127",
    "squeezenet1_0?bypass=complex&resolution=64",
    "resnext50?cardinality=2&width=40&resolution=64",
    "se_resnet50?resolution=64",
    "preresnet_cifar?depth=20",
    "densenet_bc_cifar?growth=12&depth=16",
    "mobilenet_v1?width=0.25&resolution=64",
    "mobilenet_v2?width=0.35&resolution=64",
    "mobilenet_v3_small?resolution=64",
    "shufflenet_v1?groups=8&scale=0.25&squeeze_excitation=true&resolution=64",
    "shufflenet_v2_x0_5?resolution=64",
    "mobilefacenet",
]
